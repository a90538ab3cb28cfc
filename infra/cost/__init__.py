"""What Everscore costs on AWS: measured speed, listed prices, and what the template deploys."""

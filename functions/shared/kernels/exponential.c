/* The exponential function in single precision, computed as ../kernels/exponential.py says, which holds the constants. */

#include "kernels.h"

#include <string.h>

enum { PARTS = 32 };

typedef struct {
    double parts_per_unit;  /* PARTS / ln 2 */
    double coefficients[3]; /* of the polynomial for 2^(r / PARTS), apart from its 1 */
    double low, high;       /* beyond these the result is 0, or infinite, all the same */
    const uint64_t *powers; /* by k: the bits of 2^(k / PARTS) */
} exponential;

/* Replace each value by its exponential. */
EXPORT void everscore_exponential(const exponential *how, int64_t count, float *values);
void everscore_exponential(const exponential *how, int64_t count, float *values) {
    const double rounds_to_whole = 0x1.8p52; /* above it doubles are whole numbers */
    for (int64_t i = 0; i < count; i++) {
        const double given = (double)values[i];
        const double value = given < how->high ? (given > how->low ? given : how->low) : how->high;
        const double scaled = value * how->parts_per_unit;
        const double whole = (scaled + rounds_to_whole) - rounds_to_whole, rest = scaled - whole;
        const int64_t k = (int64_t)whole;
        const uint64_t bits = how->powers[k & (PARTS - 1)] + ((uint64_t)(k >> 5) << 52);
        double power;
        memcpy(&power, &bits, sizeof power);
        const double cubic = how->coefficients[0] * rest + how->coefficients[1];
        const double linear = how->coefficients[2] * rest + 1.0;
        values[i] = given == given ? (float)((cubic * (rest * rest) + linear) * power) : values[i];
    }
}

"""`python -m infra.grafana`: write what is made from the catalogue."""

from infra.grafana.written import FOLDER, files


def main() -> None:
    """Write every file again."""
    for name, text in files().items():
        file = FOLDER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

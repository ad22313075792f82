"""What an audit is told by: tables, verdict, figures, HTML and exports."""

__all__: list[str] = []

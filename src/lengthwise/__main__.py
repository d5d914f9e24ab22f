"""The console script `lengthwise`, also `python -m lengthwise`: Ctrl-C while it is imported prints nothing."""

from __future__ import annotations


def main() -> None:
    """Run the command line of this process; ends it with a status other than 0 where something went wrong."""
    try:
        from lengthwise.app import cli
        from lengthwise.app.exit_status import end_process
    except KeyboardInterrupt:  # importing takes a moment
        raise SystemExit(130) from None
    cli.main()
    end_process()


if __name__ == "__main__":
    main()

"""Train models: `python train.py --help`."""

if __name__ == "__main__":  # the workers of a sweep import this file too, and need none of it
    try:
        from lengthwise.app.exit_status import end_process
        from lengthwise.app.hydra_app import main
    except KeyboardInterrupt:  # importing takes a moment
        raise SystemExit(130) from None
    main()
    end_process()

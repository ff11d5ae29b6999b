"""Trains and evaluates. See deepgbass/commands/train.py."""

from deepgbass.commands.train import run

if __name__ == "__main__":
    run()

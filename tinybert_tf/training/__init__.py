"""What training stages share: run directory, checkpoints, optimizer and the loop."""

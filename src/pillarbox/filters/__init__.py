"""What looks into messages on their way into the queue."""

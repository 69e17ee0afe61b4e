"""What leaves the machine towards people and their tools: mail and web hooks, with their secrets kept."""

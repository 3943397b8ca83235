"""What a finished campaign leaves its owner with: pictures, a manifest, a report."""

"""The words everything else uses: statuses, records, commands, events and errors. Standard library only."""

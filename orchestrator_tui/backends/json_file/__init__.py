"""The work tracker whose items are a file in the project's folder, for people to read and edit."""

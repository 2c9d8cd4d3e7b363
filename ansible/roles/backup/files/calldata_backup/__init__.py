"""Backups of one machine: parts in, one manifest for each backup, and restores that check before they touch."""

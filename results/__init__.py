"""What came out of a sweep: the tables on disk, statistics over seeds, summaries and how they are shown."""

"""The course as a learner gets it: a copy of their own."""

/* The mapper (written by the lead, in progress): source rows in, records out. */

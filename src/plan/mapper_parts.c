/* The mapper, lists, aggregates and pages (written by the lead, in progress). */

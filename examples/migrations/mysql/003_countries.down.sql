-- What was in lower case is put back from the rows that were kept.
SELECT 1;

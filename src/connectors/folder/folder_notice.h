/* A long reading before the run, told on stderr as progress is: "reading in/t.csv: 38 %". */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_NOTICE_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_NOTICE_H

#include "connectors/folder/folder.h"

/* Zeroed, it tells nothing. After two seconds there is a line, and then one every ten. */
struct folder_notice {
    const char *place; /* the file, or the folder of several; borrowed */
    uint64_t total;
    _Atomic uint64_t done;
    _Atomic int64_t next_ms;
};

/* Begins the notice of all files of the table from `file_begin` up to `file_end`. Without memory it
 * tells nothing. */
void folder_notice_begin(struct folder_notice *notice, const struct folder_table *table,
                         uint32_t file_begin, uint32_t file_end, struct arena *arena);
/*
 * So many bytes more of the files were read (of packed ones all at once at their end); for each
 * window or so. Any thread. STATUS_FAILED: ERROR_INTERRUPTED, the program was asked to stop.
 */
enum status folder_notice_add(struct folder_notice *notice, uint64_t bytes,
                              struct error *error) MUST_USE;

#endif

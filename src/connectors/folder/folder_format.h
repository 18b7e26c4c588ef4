/*
 * The functions that a format of files (DynamoDB JSON, JSON lines, CSV) brings to the folder room,
 * which does all else: segments, renames, ledger, done marks, locks, settling of equal keys,
 * compression, listing, spans, batches.
 *
 *   DIR/<table>/<prefix>-<tag>-<chunk>-<entity>-<part><suffix>[.gz|.zst]    written and read
 *   DIR/<table>/ANY<suffix>[.gz|.zst], DIR/<table><suffix>[.gz|.zst]        read, too
 *   DIR/_transhume/…                                                        see folder.h
 *
 * A connector of files is: its own `struct database` that begins with a `struct folder`, a const
 * `struct folder_format`, and a `struct connector` whose groups are the room's (folder_store,
 * folder_source, folder_target, folder_catalog), open one line of its own (folder_open) and close
 * the room's (folder_close). Each format defines `struct folder_encoder` and `struct
 * folder_decoder` for itself, as each connector does `struct reader`.
 */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_FORMAT_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_FORMAT_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"

struct folder;       /* folder.h: a database of files, opened */
struct folder_table; /* folder.h: a source table and its files */
struct folder_snapshot;
struct folder_finding;
struct folder_encoder;
struct folder_decoder;

/* A piece of one file. Bytes count before compression. */
struct folder_range {
    const char *path;      /* it and the name are valid until decoder_open returns */
    const char *file_name; /* for people and for $file */
    uint32_t file;         /* its number among the table's files */
    uint64_t begin;        /* 0 for compressed files */
    uint64_t end;          /* records that begin at or after it are not in it: the next range's, or
                              appended to the file since the snapshot. UINT64_MAX: no bound */
};

/*
 * The packing of formats whose files are not their records one after the other (Parquet keeps them
 * by column). Bytes that their encoder_append appends and their raw_next gives are a form of the
 * format's own, without an end of line, of which a pack makes the file. Nothing of it outlives the
 * file.
 */
struct folder_pack;
struct folder_packing {
    /* Creates the file (0600; it must not exist) for records of `encoder`, or, with that NULL, of
     * the file that `decoder` reads; both outlive the pack. Any thread. */
    enum status (*open)(struct folder *folder, const char *path,
                        const struct folder_encoder *encoder, const struct folder_decoder *decoder,
                        struct folder_pack **pack, struct error *error);
    /* Whole records. */
    enum status (*write)(struct folder_pack *pack, const void *bytes, size_t length,
                         struct error *error);
    /* Ends the file, makes it durable and closes it; the pack is gone, also when it fails. */
    enum status (*finish)(struct folder_pack *pack, struct error *error);
    void (*abandon)(struct folder_pack *pack);
    /* How many records a target's file has. */
    enum status (*count)(const char *path, uint64_t *records, struct error *error);
    /* How many bytes of the files a record of a source's table takes, about; 0: it has none. */
    enum status (*row_bytes)(struct folder *folder, const struct folder_table *table,
                             uint64_t *bytes, struct error *error);
};

struct folder_format {
    const struct connector *connector;
    size_t database_bytes; /* of the connector's own struct, whose head is a struct folder */
    /* Optional: reads the options that are the format's own, once the room has read its own. May
     * change limits and capabilities of this database. */
    enum status (*read_options)(struct folder *folder, const struct uri *uri, struct error *error);
    const char *segment_prefix;       /* "part": of the files that are written */
    const char *suffix;               /* ".csv" */
    const char *const *read_suffixes; /* other endings of a source's files, as ".tsv", NULL at the
                                         end; NULL: none */
    const char *ignored_prefix;       /* files that begin so are no data; NULL: none */
    bool loose_files;  /* DIR/<table><suffix> is a table; a URI may name one such file; "-" is
                          standard input or output */
    bool json_records; /* raw records are JSON values on one line */
    const char *position_column; /* "$line" or "$byte": what names a record of a table without a
                                    key, beside "$file" */
    uint32_t key_parts_max;      /* 0: tables need no key, and it may have any number of parts */
    uint32_t source_capabilities;
    uint32_t target_capabilities;
    struct connector_limits limits;

    /* NULL: files are their records one after the other. With it a file takes records of one
     * encoder only, and the room reads no option `compression` and no `change_seconds`. */
    const struct folder_packing *packing;

    /* ------------------------------------------------------------ tables of a target */

    /* Appends a line for each thing of the table that the format refuses; the room has checked
     * name, key and `existing`. Changes nothing. */
    void (*check_table)(struct folder *folder, const struct target_table *table,
                        const struct shape *const *shapes, uint32_t shape_count,
                        struct buffer *out);
    /* Whether a table may be called that. NULL: any name will do (it becomes a safe folder name).
     */
    bool (*name_valid)(const char *table);
    /*
     * Writes what the format keeps of a table at `path` (DIR/_transhume/tables/<table>.json) with
     * file_write_atomic; `finish` false: before the first record, again at each resume; true: after
     * the last one. Repeatable. Both on the control thread.
     */
    enum status (*write_definition)(struct folder *folder, const struct target_table *table,
                                    const char *path, bool finish, struct arena *scratch,
                                    struct error *error);

    /* ------------------------------------------------------------ records to bytes */

    /*
     * The encoder of one shape for one table and writer; it lives as long as the writer. `shape`
     * NULL: documents, each record is one MAP cell. `first` is the first record to come (NULL: none
     * yet). Table and shape are borrowed and outlive it. Any thread.
     */
    enum status (*encoder_create)(struct folder *folder, const struct target_table *table,
                                  const struct shape *shape, const struct cell *first,
                                  struct folder_encoder **encoder, struct error *error);
    void (*encoder_destroy)(struct folder_encoder *encoder); /* NULL is fine */
    /* The beginning of each file (a header line). NULL: nothing, ever. A file takes records of one
     * encoder only where this is given. */
    enum status (*encoder_head)(struct folder_encoder *encoder, struct buffer *out,
                                struct error *error);
    /*
     * Appends one record with its end of line. STATUS_FAILED: `out` is as it was, and `error` has
     * class REJECT (what the format can't hold, naming the field), or STOP (memory, reading a LARGE
     * value).
     */
    enum status (*encoder_append)(struct folder_encoder *encoder, const struct cell *cells,
                                  struct buffer *out, struct error *error);
    /* As target_functions.normal_form. Any thread. */
    enum status (*normal_form)(struct folder *folder, const struct cell *cell, struct arena *arena,
                               struct cell *normal, struct error *error);

    /* ------------------------------------------------------------ tables of a source */

    /* Optional: finds the source's tables in another way than by their folders' names (exports of
     * DynamoDB). STATUS_END: nothing of that kind here. Calls folder_add_table. */
    enum status (*find_tables)(struct folder *folder, struct folder_finding *finding,
                               struct error *error);
    /* Optional: whether a file with one of the read_suffixes holds records. What is no table is
     * left out of a folder with a warning, and refused if the URI names it. */
    enum status (*holds_records)(const char *path, bool *holds, struct error *error);
    const char *records_help; /* what records look like: the hint then */
    /*
     * Fills columns and key of `schema` (name, sizes and kind are there) in `arena`. Called once a
     * table and process, with the folder's mutex held: may read all of its files to learn the types
     * of all rows. What it learns may be kept with the table (`struct folder_table.format_data`).
     */
    enum status (*describe_table)(struct folder *folder, struct folder_table *table,
                                  struct arena *arena, struct schema_table *schema,
                                  struct error *error);
    /* Optional: once all tables are described: whether the URI's options fit them. With the
     * folder's mutex held. */
    enum status (*check_tables)(struct folder *folder, const struct folder_snapshot *snapshot,
                                struct error *error);
    /* Facts that should be said of a table before a run, one line each. */
    void (*caveats)(const struct folder_table *table, struct buffer *out);

    /* ------------------------------------------------------------ bytes to records */

    /*
     * Optional: `*byte` is where a plain file would be cut; moves it to the begin of the first
     * record at or after it (the file's size: none). NULL: files may be cut anywhere, and the
     * decoder finds the first record that begins at or after range->begin itself. Called with
     * rising bytes at the split, which a format may use to parse only once.
     */
    enum status (*align)(struct folder *folder, struct folder_table *table, uint32_t file,
                         uint64_t *byte, struct error *error);
    /*
     * Reads records of one range. `request` names the columns to fill, by name (folder_positions
     * helps); column_count 0: documents, one MAP a row. Several may be open on one thread; one
     * thread each. `table` outlives it. Without `table` and `request` (NULL): the room reads a
     * target's file raw, see raw_next; `name` is the table's.
     */
    enum status (*decoder_open)(struct folder *folder, const char *name,
                                const struct folder_table *table, const struct folder_range *range,
                                const struct read_request *request, struct folder_decoder **decoder,
                                struct error *error);
    void (*decoder_close)(struct folder_decoder *decoder); /* NULL is fine */
    /*
     * Appends records to the batch until it holds `rows_max` or about `bytes_max` bytes
     * (batch_bytes): STATUS_OK; or until the range ends: STATUS_END, with or without new rows.
     * Cells live in batch->arena. A record that can't be read is told with batch_refuse (its file
     * and line in the reason) and counts as a row in these bounds; reading goes on behind it. A
     * file that can't be read on (an I/O error, a damaged archive) is STATUS_FAILED. Documents get
     * envelopes (batch->envelopes is there), whose source key is the table's key or file and
     * position.
     */
    enum status (*decoder_fill)(struct folder_decoder *decoder, struct batch *batch,
                                uint32_t rows_max, size_t bytes_max, struct error *error);
    /*
     * For settling equal keys: the next record as it stands in a segment that this program wrote,
     * with its end of line, valid until the next call; heads are no records. STATUS_END: no more.
     */
    enum status (*raw_next)(struct folder_decoder *decoder, const char **bytes, size_t *length,
                            struct error *error);
    /* Appends what the segment begins with before its first record. NULL: nothing, ever. */
    enum status (*raw_head)(struct folder_decoder *decoder, struct buffer *out,
                            struct error *error);
    /* The record whose bytes raw_next gave (of this file, perhaps in an earlier process), as a MAP
     * in `arena`. */
    enum status (*raw_read)(struct folder_decoder *decoder, const char *bytes, size_t length,
                            struct arena *arena, struct cell *record, struct error *error);
    /* Appends bytes that are equal for equal values of a key column and differ for others. NULL:
     * the canonical bytes of the value's normal form. `name` is for errors. */
    enum status (*key_append)(struct folder *folder, const struct cell *value, const char *name,
                              struct buffer *out, struct error *error);
};

#endif

/* Texts that the engine writes into the ledger: header, status and done marks as JSON. */
#ifndef TRANSHUME_ENGINE_LEDGER_TEXTS_H
#define TRANSHUME_ENGINE_LEDGER_TEXTS_H

#include "connectors/contract/connector.h"
#include "engine/copy/tally.h"
#include "plan/plan.h"

/*
 * header  {"format":1,"version":"0.1.0","run":ID,"kind":"copy"|"rejects","created_at":…,
 *          "source":{"uri","identity","fingerprint"},"target":{"uri","identity"},"snapshot":TOKEN,
 *          "schema":TEXT,"plan":TEXT|null,"mapping":TEXT,"mapping_hash":HEX,
 *          "streams":[{"name","keyed","records"}],"absent_tables":[NAME…],
 *          "tables":[{"name","key":[…],"existing","was":"absent"|"empty"|"records","undo",
 *                     "settles","empties":true,"entities":[{"entity":n,"fields":[…]}]}],
 *          "renumbered":{TABLE:N…},                        (new keys are old ones + N)
 *          "indexes":"rebuild","triggers":"disable",       (only where they are)
 *          "broken_references":"reject",                   (likewise)
 *          "grants":true,"definer":"self",                 (likewise)
 *          "sample_rows":N,"sample_seed":N,                (of a part of the source)
 *          "parts":"schema"|"data",                        (where it is not both)
 *          "schemas":[NAME…],                              (the target's, besides its own)
 *          "takes_out":true,                               (it deletes records that were there)
 *          "keeps_taken":true,                             (and they can be put back)
 *          "delete":HEX,                                   (likewise: xxh3 of delete.jsonl)
 *          "since":[{"stream","table","entity","column","bound","next","before"}…],
 *          "before":ID,                                    (the before-images in the state folder)
 *          "input":{"xxh3":HEX,"bytes":N}}                          (input: kind rejects only)
 * status  {"format":1,"phase":…,"created":[TABLE…],"mixed_snapshot":…,"no_snapshot":…,
 *          "broken_references":N,                          (where it is known)
 *          "left_references":N,                            (likewise; of those)
 *          "started_at":…,"ended_at":…,
 *          "attempts":[{"epoch","at","snapshot","hands","end","source_connection":
 *                       {"server","security","protocol","cipher"},"target_connection"}],
 *          "errors":[{"at","code","message"}],"doubtful":[CHUNK…],
 *          "undone":[TABLE…],"before_lost",                (while it is rolled back)
 *          "differing":{TABLE:N…},                         (likewise: of those undone)
 *          "taken":{TABLE:N…},"deleted",                   (a repair: records that it took out,
 *                                                           and that all of them are)
 *          "unfilled":[{"table","columns":[COLUMN…],"sum"}],  (what the run does not fill)
 *          "repairs":ID,                                   (a repair: the run that it repairs)
 *          "strangers":{TABLE:N…},                         (skipped, and there with other values)
 *          "not_carried":[{"kind","object","text","count"}],  (what a copy leaves behind)
 *          "rights":[{"kind","object","text","statement","opens"}],  (what is left to do, or more
 *                                                           than in the source)
 *          "settled":{"entities":{"3":{"rejected":N,"skipped":N,"orphans":N,"hash":HEX}},
 *                     "rejects":{"file","count","xxh3"}}}
 * mark    {"format":1,"chunk":n,"attempt":a,"epoch":e,
 *          "entities":{"0":{"read","made","written","rejected","skipped","filtered","bytes","hash",
 *          "unmatched","retries","fallbacks",              (these three: where there are any)
 *          "reasons":{CODE:N…}}},                          (why they were rejected)
 *          "rejects":{"file","count","xxh3"}|null,"last_id":…,"seconds":…}
 */

struct ledger_stream_facts {
    const char *name;
    bool keyed;
    int64_t records; /* -1: not known */
};

/* The state in which a run found the place of a table of its plan. */
enum ledger_table_was { LEDGER_WAS_ABSENT, LEDGER_WAS_EMPTY, LEDGER_WAS_FILLED };

struct ledger_table_entity {
    uint32_t entity;
    struct column_list fields; /* in the plan's order; documents: none */
};

/* A table of the run, as taking it back needs it: without the plan. */
struct ledger_table {
    const char *name;
    struct column_list key;
    enum existing_policy existing;
    enum ledger_table_was was;
    bool keeps_undo;
    bool settles;
    bool empties; /* its records are deleted before the load */
    struct ledger_table_entity *entities;
    uint32_t entity_count;
};

/* A table whose records got new keys: by how much they were moved. */
struct ledger_renumbered {
    const char *table;
    int64_t by;
};

/* A stream with `since`: what it reads, and what its next run is to go on from; values as
 * typed_json.h writes them. */
struct ledger_since {
    uint32_t stream;
    const char *table; /* with the entity the watermark's name */
    const char *entity;
    const char *column;
    const char *bound;  /* NULL: all of it is read */
    const char *next;   /* the column's highest value; NULL: it has none */
    const char *before; /* the watermark that the run found; NULL: none */
};

/* The members of the header, and what is compared on resume. All borrowed. */
struct ledger_header {
    const char *run_id;
    const char *kind;
    const char *source_uri;
    const char *source_identity;
    const char *fingerprint;
    const char *target_uri;
    const char *target_identity;
    const char *schema_text; /* of the source: schema_lines.h */
    const char *snapshot;
    const char *plan_text; /* NULL: a plain copy */
    const char *mapping_text;
    const char *mapping_hash;
    struct ledger_stream_facts *streams;
    uint32_t stream_count;
    const char **absent_tables; /* that were not there before the run */
    uint32_t absent_count;
    struct ledger_table *tables; /* the plan's, in its order; none in ledgers of before 0.2 */
    uint32_t table_count;
    struct json_t *renumber; /* to be written, as the next two are read; NULL: no table */
    struct ledger_renumbered *renumbered;
    uint32_t renumbered_count;
    const char *feed; /* NULL: the run is not followed */
    struct position feed_start;
    const char
        *reverse_of; /* the feed whose run this one turns round, copying nothing; NULL: none */
    const char *before_id;       /* NULL: no before-images are in the state folder */
    bool rebuilds_indexes;       /* of tables that are there, for the load */
    bool disables_triggers;      /* likewise */
    bool cascades_in_target;     /* --cascades target */
    const char *follow_triggers; /* --follow-triggers "refuse", "fire"; NULL: off */
    struct column_list schemas;  /* of the target besides its own, of which tables are */
    bool rejects_orphans;        /* --broken-references reject */
    bool carries_rights;         /* --grants */
    bool definer_self;           /* --definer self */
    uint64_t sample_rows;        /* 0: all */
    uint64_t sample_seed;
    const char *parts;          /* "schema", "data"; NULL: both */
    bool takes_out;             /* a repair that deletes records, or a copy that empties tables */
    bool keeps_taken;           /* and they can be put back; earlier versions refuse by takes_out */
    const char *delete_hash;    /* of its delete.jsonl; NULL: before 0.2 */
    struct ledger_since *since; /* a stream each that has it */
    uint32_t since_count;
    const char *input_hash; /* kind rejects */
    int64_t input_bytes;
};
enum status ledger_header_make(const struct ledger_header *header, struct arena *arena,
                               const char **text, struct error *error) MUST_USE;
enum status ledger_header_read(const char *text, struct arena *arena, struct ledger_header *header,
                               struct error *error) MUST_USE;

enum ledger_phase {
    LEDGER_PREPARED, /* ledger complete, tables perhaps not */
    LEDGER_COPYING,
    LEDGER_LOADED,  /* all chunks done */
    LEDGER_INDEXED, /* after_load done */
    LEDGER_SETTLED,
    LEDGER_FOLLOWING, /* the copy is complete, and the source's changes are applied */
    LEDGER_COMPLETED,
    LEDGER_ROLLING_BACK
};
const char *ledger_phase_name(enum ledger_phase phase);
struct ledger_status;
/* LEDGER_INVALID: the run is complete, but done marks of it are gone. */
enum status ledger_check_marks(const struct ledger_run *run, const struct ledger_status *status,
                               struct error *error) MUST_USE;

/* A run's status while we hold it: kept as jansson objects between changes. */
struct ledger_status {
    enum ledger_phase phase;
    bool mixed_snapshot;
    bool no_snapshot;
    int64_t started_us;
    int64_t ended_us;
    struct json_t *created;   /* array of table names */
    struct json_t *attempts;  /* array */
    struct json_t *errors;    /* array, the last 20 */
    struct json_t *settled;   /* object or NULL */
    struct json_t *doubtful;  /* array of chunk numbers: in hand when a claim was taken over */
    bool incomplete;          /* memory was out for a part: it is not written any more */
    struct json_t *undone;    /* array of table names: taken back already; NULL: none */
    struct json_t *differing; /* object: how many records of one that is taken back are not what
                                 they were; NULL: none */
    struct json_t *taken;    /* object: how many records a repair took out of a table; NULL: none */
    struct json_t *repairs;  /* a repair: the id of the run that it repairs; NULL: not known */
    struct json_t *unfilled; /* array: columns that the run does not fill, and what they held at
                                its end; NULL: none */
    struct json_t *not_carried; /* array, observe/not_carried.h; NULL: nothing */
    struct json_t *rights;      /* array, observe/rights_list.h; NULL: nothing */
    struct json_t *strangers;   /* object: how many records of a table were skipped, and are there
                                   with other values; NULL: not known */
    bool deleted;               /* a repair: what it takes out before it writes is out */
    bool before_lost; /* before-images of an earlier attempt are not in the state folder */
    uint32_t broken_references; /* missing, or not obeyed by every record, once INDEXED */
    uint32_t left_references;   /* of these, tables in a circle of which some were left NULL */
};
enum { LEDGER_ERRORS_MAX = 20 };
enum status ledger_status_init(struct ledger_status *status, struct error *error) MUST_USE;
enum status ledger_status_read(const char *text, struct ledger_status *status,
                               struct error *error) MUST_USE;
void ledger_status_free(struct ledger_status *status);
enum status ledger_status_make(const struct ledger_status *status, struct arena *arena,
                               const char **text, struct error *error) MUST_USE;
/* `hands`: chunks that the attempt may have begun and not finished, at any time. */
void ledger_status_begin_attempt(struct ledger_status *status, uint64_t epoch, const char *snapshot,
                                 uint32_t hands);
/* Notes "source_connection" or "target_connection" of the last attempt, which has begun. Takes
 * `connection`; NULL: it has none. */
void ledger_status_note_connection(struct ledger_status *status, const char *name,
                                   struct json_t *connection);
/* The hands of the last attempt. */
uint32_t ledger_status_hands(const struct ledger_status *status);
/* Each chunk only once. */
void ledger_status_add_doubtful(struct ledger_status *status, uint64_t chunk);
/* "interrupted", "failed", "completed". */
void ledger_status_end_attempt(struct ledger_status *status, const char *end);
void ledger_status_add_error(struct ledger_status *status, const struct error *error);
void ledger_status_add_created(struct ledger_status *status, const char *table);
bool ledger_status_is_created(const struct ledger_status *status, const char *table);
/* Adds to what a repair took out of a table. */
void ledger_status_add_taken(struct ledger_status *status, const char *table, uint64_t count);
uint64_t ledger_status_taken(const struct ledger_status *status, const char *table);
/* The count of differing records of a table that is taken back. */
void ledger_status_note_differing(struct ledger_status *status, const char *table, uint64_t count);
uint64_t ledger_status_differing(const struct ledger_status *status, const char *table);

/* Columns of a table that the run does not fill; `sum` NULL: what they hold was not looked at. */
void ledger_status_add_unfilled(struct ledger_status *status, const char *table,
                                struct column_list columns, const char *sum);
/* {"table","columns","sum"} of the table; NULL: there is none. */
const struct json_t *ledger_status_unfilled(const struct ledger_status *status, const char *table);

/* The reject file of a chunk, as its done mark vouches for it. */
struct ledger_rejects {
    const char *file; /* NULL: none */
    uint64_t count;
    char hash[33];
};

struct ledger_mark {
    uint64_t chunk;
    uint32_t attempt;
    uint64_t epoch;
    const uint32_t *entities; /* their numbers, and a tally each */
    struct tally *tallies;
    uint32_t entity_count;
    struct ledger_rejects rejects;
    const char *last_id; /* NULL: not known */
    double seconds;
};
enum status ledger_mark_make(const struct ledger_mark *mark, struct arena *arena, const char **text,
                             struct error *error) MUST_USE;
/* `entities` and `tallies` live in the arena; numbers at or above `entity_limit` are damage. */
enum status ledger_mark_read(const struct done_mark *done, uint32_t entity_limit,
                             struct arena *arena, struct ledger_mark *mark,
                             struct error *error) MUST_USE;

#endif

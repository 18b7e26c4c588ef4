/* Declarations that the files of translate.h share. */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_TRANSLATE_INTERNAL_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_TRANSLATE_INTERNAL_H

#include "engine/follow/translate/touched.h"
#include "engine/follow/translate/translate.h"
#include "plan/map/mapper.h"

/* Where the columns of a stream's request are in the rows that the feed brings, and in those that
 * foreign keys change (cascade.h), by turns. */
enum { PLACEMENTS = 2 };
struct placement {
    const struct shape *shape; /* lives as long as the feed; NULL: none yet */
    int32_t *at;               /* by column of the request; -1: the row has none of that name */
};

struct follow_translator {
    struct run *run;
    struct run_session *session;
    const struct follow_routes *routes;
    struct arena *arena;
    struct followed_form form;
    bool parts;              /* the target takes a part of a record */
    struct mapper **mappers; /* by stream; NULL: its rows pass as they are */
    struct mapper **key_mappers;
    struct placement *placements; /* PLACEMENTS a stream, the one that was used last first */
    struct follow_difference *differences; /* by stream; the table is NULL: none */
    const char **left;                     /* likewise: why it is not followed any more; or NULL */
    struct position
        *passed; /* likewise: up to here its changes are in the target; length 0: none */
    struct follow_table_event *events; /* that were not told yet */
    uint32_t event_count;
    uint32_t event_capacity;
};

/* ---- translate_row.c */

/* The part of a row's image that is not there. */
struct lacking {
    bool any;
    bool to_come; /* some of it the source knows only since */
};

/* The source has the column no more, of which the change would be. */
enum status follow_refuse_column(const struct change_table *table, const char *column,
                                 struct error *error) MUST_USE;
/* A row of one record, of the whole image. */
enum status follow_row_of_image(struct follow_translator *translator, uint32_t stream,
                                const struct change_table *table, const struct cell *image,
                                struct cell *row, struct lacking *lacking,
                                struct error *error) MUST_USE;
/* The row as a batch for the mapper. */
struct batch *follow_batch_of_row(const struct plan_stream *stream, const struct cell *row);
/* The records that the mapper has ready; follow_drop_output frees them. */
enum status follow_take_output(struct mapper *mapper, struct mapper_output *output,
                               struct error *error) MUST_USE;
void follow_drop_output(struct mapper_output *output);
/* Adds what the change of a row of the stream does to its records, or touches its root. */
enum status follow_translate_row(struct follow_translator *translator, uint32_t number,
                                 const struct change_set *source,
                                 const struct record_change *change, struct followed_set *set,
                                 struct touched_roots *touched, struct error *error) MUST_USE;

/* ---- translate_whole.c */

/* Adds the whole records that the row made before the change and makes after it. */
enum status follow_translate_whole(struct follow_translator *translator, uint32_t number,
                                   const struct change_set *source,
                                   const struct record_change *change, struct followed_set *set,
                                   struct error *error) MUST_USE;

#endif

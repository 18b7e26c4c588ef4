/* Inside spill.c and spill_keep.c: the parts of a spill. */
#ifndef TRANSHUME_VERIFY_SPILL_PARTS_H
#define TRANSHUME_VERIFY_SPILL_PARTS_H

#include "verify/spill.h"
#include <pthread.h>
#include <xxhash.h>

enum { SPILL_RECENT = 64, SPILL_PARTS_MAX = 256, SPILL_PATH_BYTES = 4096 };

struct spill_part {
    pthread_mutex_t mutex;
    int file; /* -1: nothing is in it */
    uint64_t bytes;
    struct buffer pending;
    uint32_t recent[SPILL_RECENT]; /* by hash: where in `pending` such an entry ends its head; 0:
                                      none */
    XXH3_state_t *hash;            /* of what is in the file, where it is kept */
    bool broken;                   /* nobody knows where the file ends */
};
struct spill {
    char *folder;
    struct spill_options options;
    size_t pending_max; /* of one part */
    uint32_t part_count;
    struct spill_part *parts;
};

/* Without files; the folder is not looked at. */
struct spill *spill_make(const char *folder, uint32_t part_count, struct spill_options options);
/* Pending entries go to the file, or stay if that fails. With the part's mutex held. */
enum status spill_flush(struct spill *spill, struct spill_part *part, struct error *error) MUST_USE;
void spill_part_path(const struct spill *spill, const struct spill_part *part,
                     char path[SPILL_PATH_BYTES]);
/* All that it holds, files stay. */
void spill_free(struct spill *spill);

#endif

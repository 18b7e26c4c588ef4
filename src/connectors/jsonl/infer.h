/* Learning the columns of a table piece by piece: what threads learnt apart is joined in order. */
#ifndef TRANSHUME_CONNECTORS_JSONL_INFER_H
#define TRANSHUME_CONNECTORS_JSONL_INFER_H

#include "connectors/folder/folder_notice.h"
#include "connectors/jsonl/jsonl.h"

/* The columns that were seen in some rows; one thread at a time. */
struct learning;

/* The lines of a file that begin in these bytes (end 0: no bound; packed files: all). */
struct jsonl_piece {
    uint32_t file;
    uint64_t begin;
    uint64_t end;
};

/* All but the notice is borrowed for as long as it lives; the notice is shared by threads. */
struct learning *jsonl_learning_create(const struct jsonl_database *database,
                                       const struct folder_table *table, bool tags,
                                       struct folder_notice *notice);
void jsonl_learning_destroy(struct learning *learning); /* NULL is fine */
enum status jsonl_learning_read(struct learning *learning, const struct jsonl_piece *piece,
                                struct error *error) MUST_USE;
/* Adds what was seen of later rows. */
enum status jsonl_learning_merge(struct learning *into, const struct learning *from,
                                 struct error *error) MUST_USE;
/* About what it holds. */
size_t jsonl_learning_bytes(const struct learning *learning);
/* Fills columns and counts of `data`. */
enum status jsonl_learning_finish(const struct learning *learning, struct arena *arena,
                                  struct folder_table_data *data, struct error *error) MUST_USE;

#endif

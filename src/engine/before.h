/* Before-images of targets without transactions: in the state folder, durable before each write. */
#ifndef TRANSHUME_ENGINE_BEFORE_H
#define TRANSHUME_ENGINE_BEFORE_H

#include "engine/session.h"

/*
 * before/run                the run's id: without it the images are lost
 * before/EPOCH-WRITER.jsonl one writer's frames, one a batch, each synced before the batch is sent:
 *   {"format":1,"sequence":N,"table":NAME,"count":N,"bytes":N,"xxh3":HEX}     then `count` lines,
 *   {"key":[…],"after":HEX|null,"image":{…}|null}                             `bytes` of them
 * `sequence` counts up over all writers of an epoch; `after` is the hash of the record as it is to
 * be written (record_image.h; null: it is taken out), `image` what was under its key before:
 * typed_json.h. Taking them
 * back from the last to the first, each only where the record is still what `after` says, ends with
 * the first image of each key.
 */

/* Makes the folder for a run that begins and keeps images; for others nothing. */
enum status before_begin(struct run *run, struct error *error) MUST_USE;
/* When the run is resumed: notes in its status whether the images of before are lost. */
void before_resume(struct run *run);

/* One writer's file. */
struct before;
/* Keeps what is under the keys of the batch's records; `*before` is made at the first call.
 * Writer's thread. */
enum status before_keep(struct before **before, struct run *run, uint32_t writer, uint32_t table,
                        const struct batch *batch, struct error *error) MUST_USE;
/* Keeps what is to be taken out: key_count × table->key.count cells in the target's normal form, no
 * key twice. Control thread, while no writer is open. */
enum status before_keep_deleted(struct before **before, struct run *run, uint32_t table,
                                const struct cell *keys, uint32_t key_count,
                                struct error *error) MUST_USE;
void before_close(struct before *before); /* NULL is fine */

/* Takes the run's records of one table back by the images; `dry_run`: only counts. Refused where
 * images are lost. */
enum status before_undo(struct run *run, uint32_t table, bool dry_run, struct undo_counts *counts,
                        struct error *error) MUST_USE;

#endif

/* Before-images of targets without transactions: in the state folder, durable before each write. */
#ifndef TRANSHUME_ENGINE_BEFORE_BEFORE_H
#define TRANSHUME_ENGINE_BEFORE_BEFORE_H

#include "engine/session/session.h"

/*
 * before/run                the run's id: without it the images are lost
 * before/EPOCH-WRITER.jsonl one writer's frames, one a batch, each synced before the batch is sent:
 *   {"format":1,"sequence":N,"table":NAME,"chunk":N,"count":N,"bytes":N,"xxh3":HEX}
 *                                                     (0: of no chunk)        then `count` lines,
 *   {"key":[…],"after":HEX|null,"image":{…}|null,"end":S,"ends":{…}}          `bytes` of them
 *   {"format":1,"table":NAME,"refused":HEX,"bytes":0}   the hash of a key whose record the target
 *                                                       refused or skipped; not synced
 * before/removed-TABLE      of a rollback: hashes of the keys whose records it removes, 16 bytes
 *                           each, written before they go, and not synced
 * `sequence` counts up over all writers of an epoch; `after` is the hash of the record as it is to
 * be written (record_image.h; null: it is taken out), `image` what was under its key before:
 * typed_json.h. `end` and `ends`, where the target tells times to live: when the image, and which
 * of its fields, would have been gone (before_parts.h). Taking them back from the last to the
 * first, each only where the record is still what `after` says, ends with the first image of each
 * key. What is not synced tells what others deleted from what was never written and from what an
 * earlier attempt at the rollback removed: it is for that count alone.
 */

/* Makes the folder for a run that begins and keeps images; for others nothing. */
enum status before_begin(struct run *run, struct error *error) MUST_USE;
/* When the run is resumed: notes in its status whether the images of before are lost. */
void before_resume(struct run *run);

/* One writer's file. */
struct before;
/* Keeps what is under the keys of the batch's records, which are of `chunk`; `*before` is made at
 * the first call. Writer's thread. */
enum status before_keep(struct before **before, struct run *run, uint32_t writer, uint64_t chunk,
                        uint32_t table, const struct batch *batch, struct error *error) MUST_USE;
/* A record of such a batch was not written after all; `before` NULL: nothing is kept. */
enum status before_refuse(struct before *before, uint32_t table, const struct batch *batch,
                          uint32_t row, struct error *error) MUST_USE;
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

/*
 * Records that following could not make or that the target did not take: lines of
 * rejects/follow-EPOCH.jsonl in the state folder, and entries of the book (reject_book.h), which
 * are put in the commit that moves the position.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_APPLY_FOLLOW_REJECTS_H
#define TRANSHUME_ENGINE_FOLLOW_APPLY_FOLLOW_REJECTS_H

#include "connectors/contract/apply.h"
#include "engine/follow/apply/target_ahead.h"
#include "engine/follow/followed_set.h"
#include "engine/session/session.h"

struct follow_rejects; /* one thread's */
struct follow_rejects *follow_rejects_open(struct run *run) __attribute__((returns_nonnull));
void follow_rejects_close(struct follow_rejects *rejects); /* takes NULL */
/* Before lanes are opened: reads the book, as it is durable. `form` outlives the lanes. */
enum status follow_rejects_begin(struct follow_rejects *rejects, const struct followed_form *form,
                                 struct error *error) MUST_USE;

/* Keeps rejects of the plan, and those that are settled: the lines are on disk when it returns, the
 * entries wait for the next commit of the first lane. */
enum status follow_rejects_keep(struct follow_rejects *rejects, const struct followed_set *set,
                                struct error *error) MUST_USE;
/* Keeps the lines of records of these sets that the target did not take, unless it says nothing;
 * the sets are numbered one after the other. */
enum status follow_rejects_keep_refused(struct follow_rejects *rejects, struct ahead *ahead,
                                        const struct change_set *const *sets, uint32_t count,
                                        const struct apply_result *result,
                                        struct error *error) MUST_USE;
/* How many lines were written so far. */
uint64_t follow_rejects_count(const struct follow_rejects *rejects);

/* The notes of a lane on its calls: apply_request.notes_context. Until follow_rejects_close. */
struct follow_noting;
struct follow_noting *follow_rejects_noting(struct follow_rejects *rejects, uint32_t lane);
/* apply_take_notes. The lane's thread. */
enum status follow_rejects_take_notes(void *noting, const struct apply_call *call,
                                      struct arena *arena, const struct apply_note **notes,
                                      uint32_t *note_count, struct error *error);
/* The call has succeeded. The lane's thread, or another one while it has nothing to do. */
void follow_rejects_noted(struct follow_noting *noting);

#endif

/* The done marks and the files of rejects of a run that is gone on with. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/rejects/rejects.h"
#include "engine/run/resume_internal.h"
#include "engine/session/numbering.h"
#include "engine/state/run_state.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum status mark_damaged(struct resume *resume, const char *what, uint64_t number,
                                struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, resume->run->session->target_uri->shown,
              "the ledger is damaged: %s %" PRIu64, what, number);
    error_hint(error, "restore the target from a backup, or empty it and migrate again");
    return STATUS_FAILED;
}

enum status resume_take_chunks(struct resume *resume, struct error *error)
{
    struct run *run = resume->run;
    run->chunks.list = resume->ledger->chunks;
    run->chunks.count = resume->ledger->chunk_count;
    const struct run_numbering *numbering = run->following.numbering;
    for (uint64_t i = 0; i < run->chunks.count; i++) {
        uint32_t stream = run->chunks.list[i].stream;
        if (numbering != NULL) {
            stream = stream < numbering->stream_count ? numbering->streams[stream] : NUMBERING_NONE;
            run->chunks.list[i].stream = stream;
        }
        if (run->chunks.list[i].number != i + 1 || stream >= run->session->plan->stream_count) {
            return mark_damaged(resume, "no place for chunk", run->chunks.list[i].number, error);
        }
    }
    return run_index_chunks(run, error);
}

/* Records of a table that the plan has no more are counted for nobody. */
static void renumber_mark(const struct run_numbering *numbering, struct arena *arena,
                          struct ledger_mark *mark)
{
    uint32_t *numbers =
        arena_allocate_zeroed(arena, mark->entity_count + (size_t)1, sizeof *numbers);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < mark->entity_count; i++) {
        uint32_t number = numbering->entities[mark->entities[i]];
        if (number != NUMBERING_NONE) {
            mark->tallies[kept] = mark->tallies[i];
            numbers[kept++] = number;
        }
    }
    mark->entities = numbers;
    mark->entity_count = kept;
}

enum status resume_take_marks(struct resume *resume, struct error *error)
{
    struct run *run = resume->run;
    const struct ledger_run *ledger = resume->ledger;
    const struct run_numbering *numbering = run->following.numbering;
    uint32_t limit = numbering != NULL ? numbering->entity_count : run->session->plan->entity_count;
    resume->marks = arena_allocate_zeroed(run->arena, ledger->done_count, sizeof(*resume->marks));
    for (uint64_t i = 0; i < ledger->done_count; i++) {
        struct ledger_mark *mark = &resume->marks[i];
        if (ledger_mark_read(&ledger->done[i], limit, run->arena, mark, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (numbering != NULL) {
            renumber_mark(numbering, run->arena, mark);
        }
        if (mark->chunk == 0 || mark->chunk > run->chunks.count ||
            run->chunks.done[mark->chunk - 1]) {
            return mark_damaged(resume, "a done mark for chunk", mark->chunk, error);
        }
        run->chunks.done[mark->chunk - 1] = 1;
        run->chunks.done_count++;
    }
    resume->mark_count = ledger->done_count;
    return STATUS_OK;
}

void resume_sum_marks(struct resume *resume)
{
    struct run *run = resume->run;
    for (uint64_t i = 0; i < resume->mark_count; i++) {
        const struct ledger_mark *mark = &resume->marks[i];
        for (uint32_t j = 0; run->chunks.done[mark->chunk - 1] && j < mark->entity_count; j++) {
            tally_add(&run->totals[mark->entities[j]], &mark->tallies[j]);
        }
    }
}

/* ---- reject files */

struct names {
    const char **names;
    size_t count;
};

/* Rejects of following are of no chunk. */
static bool is_vouched(void *context, const char *name)
{
    const struct names *names = context;
    return strncmp(name, "follow-", 7) == 0 ||
           bsearch(&name, names->names, names->count, sizeof(char *), text_compare_strings) != NULL;
}

static enum status check_one_file(struct run *run, const struct ledger_rejects *rejects,
                                  struct error *error)
{
    enum status status = rejects_verify(run->folder.rejects, rejects, error);
    if (status == STATUS_END) {
        run->warning_count++;
        log_write(LOG_WARNING,
                  "%s is gone: its %" PRIu64 " rejected records are counted, but "
                  "can't be loaded any more",
                  rejects->file, rejects->count);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status resume_check_reject_files(struct resume *resume, struct error *error)
{
    struct run *run = resume->run;
    struct names names = {0};
    names.names = arena_allocate_zeroed(run->arena, resume->mark_count, sizeof(char *));
    for (uint64_t i = 0; i < resume->mark_count; i++) {
        const struct ledger_mark *mark = &resume->marks[i];
        if (mark->rejects.file == NULL || !run->chunks.done[mark->chunk - 1]) {
            continue;
        }
        if (check_one_file(run, &mark->rejects, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        names.names[names.count++] = mark->rejects.file;
    }
    qsort(names.names, names.count, sizeof(char *), text_compare_strings);
    return rejects_sweep(run->folder.rejects, is_vouched, &names, error);
}

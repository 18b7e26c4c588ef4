/* The book of rejects of the run that is validated (engine/rejects/reject_book.h): what it says of
 * records that are missing, and what the comparison has to say to it. */
#include "base/log.h"
#include "engine/rejects/reject_past.h"
#include "verify/steps.h"
#include <inttypes.h>

/* Nothing is missing of the entity, as each record was compared: whatever was rejected has arrived
 * since, or is gone from the source. */
static enum status settle_entity(struct verify *verify, struct run *past, uint32_t entity,
                                 struct error *error)
{
    const struct verify_entity_result *row = &verify->result->entities[entity];
    uint64_t unsettled = reject_book_counts_of(past, entity).unsettled;
    return unsettled > 0 && row->missing == 0 && row->absent == 0
               ? reject_book_end_round(past->rejects.book, entity, error)
               : STATUS_OK;
}

/* A target that may only be read keeps what its book says. */
static void known_book_settle(struct verify *verify, struct run *past)
{
    struct error error = {0};
    enum status status = STATUS_OK;
    if (verify->options.level < VERIFY_HASH || verify->is_led_elsewhere) {
        return;
    }
    reject_book_begin_round(past->rejects.book);
    for (uint32_t i = 0; i < verify->entity_count && status == STATUS_OK; i++) {
        status = settle_entity(verify, past, i, &error);
    }
    if (status != STATUS_OK) {
        log_write(LOG_DEBUG, "the ledger goes on counting rejects that are settled: %s",
                  error.message);
    }
}

/* A repair is refused while the run follows. */
static const char *how_again(const struct verify *verify)
{
    bool follows = verify->run != NULL && verify->run->status.phase == LEDGER_FOLLOWING;
    return follows ? "`transhume follow --resync` tries again what is missing, and counts it anew"
                   : "`transhume validate --repair` tries again what is missing";
}

static void note_difference(struct verify *verify, uint64_t unsettled)
{
    uint64_t missing = verify->result->rejects_missing;
    uint64_t others = 0;
    for (uint32_t i = 0; i < verify->entity_count; i++) {
        others += verify->result->entities[i].missing;
    }
    if (unsettled > missing && others > 0) {
        verify_note(verify,
                    "of the missing records %" PRIu64 " may be among those that were rejected, "
                    "whose reject files are not in this state folder",
                    unsettled - missing < others ? unsettled - missing : others);
    } else if (unsettled != missing) {
        verify_note(verify,
                    "the run's ledger counts %" PRIu64
                    " rejected records: either side was changed by others since, or rows of a "
                    "table without a key were; %s",
                    unsettled, how_again(verify));
    }
}

static void sum_tell(struct verify *verify, const struct reject_book_sum *sum)
{
    struct verify_result *result = verify->result;
    struct buffer text = {0};
    struct reject_book_sum all = *sum;
    if (sum->unsettled != result->rejects_missing) { /* the reasons are of others, too */
        all = (struct reject_book_sum){.unsettled = result->rejects_missing};
    }
    for (uint32_t i = 0; i < verify->entity_count; i++) {
        result->rejects_outdated += result->entities[i].outdated;
    }
    if (all.unsettled > 0) {
        reject_book_describe(&all, &text);
        if (result->rejects_outdated > 0) {
            buffer_format(&text, "; of %" PRIu64 " of them the target holds an older state",
                          result->rejects_outdated);
        }
        result->rejects_text = arena_copy_string(verify->arena, buffer_string(&text));
    }
    buffer_free(&text);
}

void steps_tell_rejects(struct verify *verify)
{
    struct verify_result *result = verify->result;
    struct reject_book_sum sum = {0};
    struct error error = {0};
    struct run *past = NULL;
    if (verify->ledger_run != NULL &&
        reject_past_open(verify->session, verify->ledger_run, verify->rejects_folder, &past,
                         &error) != STATUS_OK) {
        log_write(LOG_WARNING, "what the run rejected could not be read: %s", error.message);
    }
    if (past != NULL) {
        known_book_settle(verify, past);
        reject_book_sum(past, verify->arena, &sum);
        if (verify->options.level == VERIFY_SAMPLE && sum.unsettled > result->rejects_missing) {
            result->rejects_missing = sum.unsettled; /* others than those that were drawn */
        }
        if (!verify->options.repair) {
            note_difference(verify, sum.unsettled);
        }
        reject_past_close(past);
    }
    sum_tell(verify, &sum);
    result->ok = result->ok && result->rejects_missing == 0;
    result->exit_status = result->ok ? EXIT_DONE : EXIT_ATTENTION;
    result->notes =
        (const char *const *)arena_copy(verify->arena, verify->notes.data, verify->notes.length);
    result->note_count = (uint32_t)(verify->notes.length / sizeof(const char *));
}

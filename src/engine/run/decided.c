/* The summary for people of what a run is about to do: three lines at most. */
#include "engine/ledger/ledger_tables.h"
#include "engine/session/options.h"
#include "engine/session/session.h"
#include <inttypes.h>

static void append_way(const struct run_session *session, struct buffer *out)
{
    const struct plan *plan = session->plan;
    uint32_t tables = plan->table_count;
    uint32_t express = 0;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        express += session_is_express(session, &plan->streams[i]);
    }
    buffer_format(out, "from %s to %s: %" PRIu32 " table%s", session->source_uri->shown,
                  session->target_uri->shown, tables, tables == 1 ? "" : "s");
    if (express > 0) {
        buffer_format(out, ", %" PRIu32 " pulled by the target itself", express);
    }
    buffer_format(out, "; %" PRIu32 " readers, %" PRIu32 " writers\n",
                  session_reader_count(session), session_writer_count(session));
}

/* Tables that hold records: one word for all, or none. */
static const char *policy_of_all(const struct plan *plan)
{
    for (uint32_t i = 1; i < plan->table_count; i++) {
        if (plan->tables[i].target.existing != plan->tables[0].target.existing) {
            return "as the plan says of each";
        }
    }
    return ledger_existing_name(plan->table_count > 0 ? plan->tables[0].target.existing
                                                      : EXISTING_REFUSE);
}

static void append_promise(const struct run_session *session, struct buffer *out)
{
    const struct run_options *options = &session->options;
    buffer_format(out, "%s; tables that hold records: %s%s%s\n",
                  run_guarantee_name(run_guarantee(session)), policy_of_all(session->plan),
                  options->selection.parts == PARTS_SCHEMA ? "; the schema alone"
                  : options->selection.parts == PARTS_DATA ? "; the records alone"
                                                           : "",
                  options->follow.wanted ? "; changes are followed after the copy" : "");
}

static void append_changes(const struct run_session *session, struct buffer *out)
{
    const struct plan *plan = session->plan;
    const struct run_options *options = &session->options;
    const char *joint = "";
    if (options->selection.sample_rows > 0) {
        buffer_format(out, "%s%" PRIu64 " rows of each table, and those that they refer to", joint,
                      options->selection.sample_rows);
        joint = "; ";
    }
    if (plan->masks_values) {
        buffer_format(out, "%svalues are masked", joint);
        joint = "; ";
    }
    if (plan->hook_count > 0) {
        buffer_format(out,
                      options->hooks.none ? "%s%" PRIu32 " hooks left out" : "%s%" PRIu32 " hooks",
                      joint, plan->hook_count);
        joint = "; ";
    }
    buffer_append_string(out, joint[0] != '\0' ? "\n" : "");
}

void run_decided(const struct run_session *session, struct buffer *out)
{
    append_way(session, out);
    append_promise(session, out);
    append_changes(session, out);
}

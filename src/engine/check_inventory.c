/* What a plain copy does with each object of the source's catalogue: a line for each catalogue. */
#include "engine/run_parts.h"
#include <inttypes.h>
#include <string.h>

struct sums {
    uint64_t total;
    uint64_t left_out;
    struct buffer kinds; /* "3 views, 12 tables" */
    uint64_t unfit;      /* foreign keys */
};

static void add_row(struct sums *sums, const struct schema_inventory *row, bool whole)
{
    uint64_t left = whole || row->converts ? row->left_out : row->total;
    left += strcmp(row->what, "foreign key") == 0 ? sums->unfit : 0;
    sums->total += row->total;
    sums->left_out += left;
    buffer_format(&sums->kinds, "%s%s %" PRIu64, sums->kinds.length > 0 ? ", " : "", row->what,
                  row->total);
    if (left > 0) {
        buffer_format(&sums->kinds, " (%" PRIu64 " left out)", left);
    }
}

void check_append_inventory(const struct run_session *session, uint64_t unfit, struct buffer *out)
{
    const struct plan *plan = session->plan;
    const struct schema *schema = plan->source_schema;
    bool whole = plan->same_engine_objects != NULL;
    bool filtered = session->options.include_count > 0 || session->options.exclude_count > 0;

    if (plan->document != NULL || filtered || schema == NULL) {
        return; /* what a plan does not name is not forgotten */
    }
    for (uint32_t i = 0; i < schema->inventory_count;) {
        const char *catalog = schema->inventory[i].catalog;
        struct sums sums = {.unfit = unfit};
        while (i < schema->inventory_count && strcmp(schema->inventory[i].catalog, catalog) == 0) {
            add_row(&sums, &schema->inventory[i++], whole);
        }
        buffer_format(out, "%s: %" PRIu64 " objects, %" PRIu64 " %s, %" PRIu64 " left out: %s\n",
                      catalog, sums.total, sums.total - sums.left_out,
                      whole ? "copied" : "converted with their tables", sums.left_out,
                      sums.kinds.failed ? "" : buffer_string(&sums.kinds));
        buffer_free(&sums.kinds);
    }
}

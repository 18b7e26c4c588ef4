/* The metrics of `transhume serve` for Prometheus: how many runs there are, and how they stand. */
#include "observe/dashboard/dashboard_parts.h"

#include "model/json_tree.h"
#include "observe/metric/metric_text.h"
#include "observe/metric/process_metrics.h"

static void dashboard_metrics_count(struct metric_registry *registry, const json_t *runs)
{
    size_t index;
    const json_t *run;
    struct metric_family *active =
        metric_family_add(registry, METRIC_UNTYPED, "active_migrations_count", NULL,
                          "Runs that a process is at work on.");
    struct metric_family *all = metric_family_add(registry, METRIC_GAUGE, "transhume_runs", NULL,
                                                  "Runs of the state folders, by how they stand.");
    _Atomic uint64_t *at_work = metric_cell(active, NULL, 0);
    json_array_foreach(runs, index, run)
    {
        const char *verdict = json_string_value(json_object_get(run, "verdict"));
        const struct metric_label label = {"verdict", verdict != NULL ? verdict : "not begun"};
        atomic_fetch_add(metric_cell(all, &label, 1), 1);
        atomic_fetch_add(at_work, json_is_true(json_object_get(run, "at_work")) ? 1 : 0);
    }
}

void dashboard_answer_metrics(struct dashboard *dashboard, const struct web_request *request,
                              struct web_answer *answer)
{
    struct buffer text = {0};
    enum metric_format format = metric_format_accepted(web_header(request, "Accept"));
    struct metric_registry *registry = metric_registry_create();
    dashboard_append_runs(dashboard, &text);
    json_t *listing = json_tree_load(text.data, text.length, 0, NULL);
    dashboard_metrics_count(registry, json_object_get(listing, "runs"));
    process_metrics_add(registry);
    answer->content_type = metric_content_type(format);
    metric_append(registry, format, &answer->body);
    metric_registry_destroy(registry);
    json_decref(listing);
    buffer_free(&text);
}

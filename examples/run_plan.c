/*
 * Runs a plan by libtranshume, shows its progress, and prints what became of it.
 *
 *     cc -o run_plan run_plan.c $(pkg-config --cflags --libs transhume)
 *     ./run_plan shop.yaml
 */
#include <inttypes.h>
#include <stdio.h>
#include <transhume.h>

static int show(void *context, const struct transhume_event *event)
{
    (void)context;
    if (event->phase != NULL) {
        fprintf(stderr, "%s: %" PRId64 " of %" PRId64 " records\n", event->phase, event->done,
                event->total);
    } else if (event->text != NULL) {
        fprintf(stderr, "%s: %s\n", event->kind, event->text);
    }
    return 0;
}

int main(int argument_count, char **arguments)
{
    if (argument_count != 2) {
        fprintf(stderr, "usage: run_plan PLAN\n");
        return TRANSHUME_USAGE;
    }
    const char *const command[] = {"migrate", "--plan", arguments[1], NULL};
    struct transhume_call call = {.size = sizeof call, .arguments = command, .on_event = show};
    struct transhume_result *result;
    enum transhume_status status = transhume_call(&call, &result);
    if (transhume_result_error_code(result) != NULL) {
        const char *hint = transhume_result_error_hint(result);
        fprintf(stderr, "failed: %s [%s]\n%s\n", transhume_result_error_message(result),
                transhume_result_error_code(result), hint == NULL ? "" : hint);
    } else {
        printf("run %s: %" PRId64 " records written, %" PRId64 " rejected\n",
               transhume_result_run(result), transhume_result_count(result, "written"),
               transhume_result_count(result, "rejected"));
    }
    transhume_result_destroy(result);
    return (int)status;
}

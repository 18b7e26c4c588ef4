/* A state folder: the archive is its files. What is kept of a run is read back as it was written,
 * and the report of the same files is the same, whole JSON, and free of foreign markup. */
#include "support.h"

#include "base/log.h"
#include "engine/folder/past_runs.h"
#include "engine/folder/state_folder.h"
#include "engine/ledger/json_text.h"
#include "engine/state/state.h"
#include "observe/report.h"
#include <jansson.h>
#include <string.h>

static bool is_same_text(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

static bool is_same_list(const char *const *left, uint32_t left_count, const char *const *right,
                         uint32_t right_count)
{
    bool same = left_count == right_count;
    for (uint32_t at = 0; same && at < left_count; at++) {
        same = strcmp(left[at], right[at]) == 0;
    }
    return same;
}

static void require_same(const struct local_run *left, const struct local_run *right)
{
    FUZZ_REQUIRE(is_same_text(left->id, right->id) && is_same_text(left->kind, right->kind));
    FUZZ_REQUIRE(is_same_text(left->source, right->source));
    FUZZ_REQUIRE(is_same_text(left->target, right->target));
    FUZZ_REQUIRE(is_same_text(left->plan_path, right->plan_path));
    FUZZ_REQUIRE(left->begun == right->begun && left->finished == right->finished);
    FUZZ_REQUIRE(left->rolling_back == right->rolling_back && left->existing == right->existing);
    FUZZ_REQUIRE(left->max_rejects == right->max_rejects);
    FUZZ_REQUIRE(left->plan_rejects == right->plan_rejects);
    FUZZ_REQUIRE(is_same_text(left->time_zone, right->time_zone));
    FUZZ_REQUIRE(
        is_same_list(left->include, left->include_count, right->include, right->include_count));
    FUZZ_REQUIRE(
        is_same_list(left->exclude, left->exclude_count, right->exclude, right->exclude_count));
}

static void read_run(const struct state_folder *folder, struct arena *arena)
{
    struct error error = {0};
    struct local_run run;
    struct local_run again;
    enum status status = local_run_read(folder, arena, &run, &error);
    if (status == STATUS_OK) {
        FUZZ_REQUIRE(local_run_write(folder, &run, &error) == STATUS_OK);
        FUZZ_REQUIRE(local_run_read(folder, arena, &again, &error) == STATUS_OK);
        require_same(&run, &again);
    } else if (status == STATUS_FAILED) {
        fuzz_check_error(&error);
    }
}

static void read_past_runs(const struct state_folder *folder, struct arena *arena)
{
    struct error error = {0};
    struct past_run *runs = NULL;
    uint32_t count = 0;
    if (past_runs_list(folder, arena, &runs, &count, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    }
    for (uint32_t at = 1; at < count; at++) {
        FUZZ_REQUIRE(strcmp(runs[at - 1].local.id, runs[at].local.id) >= 0);
    }
}

static void read_state(const struct state_folder *folder)
{
    struct error error = {0};
    struct buffer json = {0};
    if (run_state_read(folder->path, &json, &error) == STATUS_FAILED) {
        fuzz_check_error(&error);
    }
    buffer_free(&json);
    json_decref(json_from_file(folder->path, STATE_VALIDATION, 1 << 20));
}

/* ---- metrics */

static bool is_same_sample(struct metrics_sample left, struct metrics_sample right)
{
    return left.at_ms == right.at_ms && left.attempt == right.attempt &&
           left.phase == right.phase && left.read == right.read && left.written == right.written &&
           left.rejected == right.rejected && left.skipped == right.skipped &&
           left.bytes == right.bytes && left.chunks == right.chunks &&
           left.retries == right.retries && left.throttled == right.throttled;
}

/* A run that goes on with the file keeps what was in it. */
static void read_metrics(const struct state_folder *folder, struct arena *arena)
{
    struct error error = {0};
    struct metrics_sample *samples = NULL;
    struct metrics_sample *again = NULL;
    uint32_t count = 0;
    uint32_t more = 0;
    struct progress progress = {.phase = PROGRESS_COPY};
    enum status status = metrics_read(folder->metrics_file, arena, &samples, &count, &error);
    if (status == STATUS_FAILED) {
        fuzz_check_error(&error);
    }
    if (status != STATUS_OK) {
        return;
    }
    struct metrics *metrics = metrics_open(folder->metrics_file, 1);
    metrics_take(metrics, &progress, true);
    metrics_close(metrics);
    FUZZ_REQUIRE(metrics_read(folder->metrics_file, arena, &again, &more, &error) == STATUS_OK);
    FUZZ_REQUIRE(more == count + 1 || count == METRICS_SAMPLES_MAX);
    for (uint32_t at = 0; more == count + 1 && at < count; at++) {
        FUZZ_REQUIRE(is_same_sample(samples[at], again[at]));
    }
}

/* ---- the report */

static void check_clean(const struct buffer *out)
{
    FUZZ_REQUIRE(text_is_utf8(out->data, out->length));
    for (size_t at = 0; at < out->length; at++) {
        unsigned char byte = (unsigned char)out->data[at];
        FUZZ_REQUIRE((byte >= ' ' && byte != 0x7f) || byte == '\n' || byte == '\t');
    }
}

static bool is_element(const char *name, size_t length)
{
    static const char *const names[] = {
        "!doctype", "b",      "body",   "br",      "code",       "dd",    "details", "div",
        "dl",       "dt",     "figure", "footer",  "figcaption", "h1",    "h2",      "h3",
        "head",     "header", "html",   "i",       "li",         "main",  "meta",    "ol",
        "p",        "path",   "pre",    "section", "rect",       "small", "span",    "strong",
        "style",    "svg",    "tbody",  "summary", "table",      "td",    "tfoot",   "th",
        "thead",    "time",   "title",  "tr",      "ul"};
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        if (strlen(names[at]) == length && memcmp(names[at], name, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Every element is one that the page is made of, and what must be closed is closed in its turn. */
static void check_markup(const char *page)
{
    enum { DEPTH_MAX = 64, LETTERS = 16 };
    static const char *const free[] = {"!doctype", "br", "meta",  "path",  "rect",
                                       "dd",       "dt", "li",    "p",     "tr",
                                       "td",       "th", "tbody", "thead", "tfoot"};
    char open[DEPTH_MAX][LETTERS];
    unsigned depth = 0;
    for (const char *at = strchr(page, '<'); at != NULL; at = strchr(at, '<')) {
        bool closes = at[1] == '/';
        const char *name = at + 1 + closes;
        size_t length = strcspn(name, " />\n");
        bool stays = true;
        FUZZ_REQUIRE(is_element(name, length));
        for (size_t i = 0; i < sizeof free / sizeof *free; i++) {
            stays = stays && (strlen(free[i]) != length || memcmp(free[i], name, length) != 0);
        }
        for (at = name + length; *at != '>'; at++) {
            FUZZ_REQUIRE(*at != '\0' && *at != '<');
            if (*at == '"') {
                at = strchr(at + 1, '"');
                FUZZ_REQUIRE(at != NULL);
            }
        }
        if (!closes && stays && at[-1] != '/') {
            FUZZ_REQUIRE(depth < DEPTH_MAX && length < LETTERS);
            memcpy(open[depth], name, length);
            open[depth++][length] = '\0';
        } else if (closes && stays) {
            FUZZ_REQUIRE(depth > 0 && strlen(open[depth - 1]) == length &&
                         memcmp(open[depth - 1], name, length) == 0);
            depth--;
        }
    }
    FUZZ_REQUIRE(depth == 0);
}

enum { FORMS = 3 };

/* False: there is none. */
static bool make_forms(const char *folder, bool at_work, struct buffer forms[FORMS])
{
    struct report report = {0};
    struct error error = {0};
    enum status status = report_read(folder, at_work, &report, &error);
    if (status == STATUS_OK) {
        report_append_json(&report, &forms[0]);
        report_append_html(&report, &forms[1]);
        report_append_markdown(&report, &forms[2]);
    } else if (status == STATUS_FAILED) {
        fuzz_check_error(&error);
    }
    report_free(&report);
    return status == STATUS_OK;
}

static void read_report(const struct state_folder *folder, bool at_work)
{
    struct buffer forms[2][FORMS] = {0};
    json_error_t fault;
    bool made = make_forms(folder->path, at_work, forms[0]);
    FUZZ_REQUIRE(made == make_forms(folder->path, at_work, forms[1]));
    for (int form = 0; form < FORMS; form++) {
        if (made) {
            check_clean(&forms[0][form]);
            FUZZ_REQUIRE(forms[0][form].length == forms[1][form].length);
            FUZZ_REQUIRE(memcmp(forms[0][form].data, forms[1][form].data, forms[0][form].length) ==
                         0);
        }
    }
    if (made) {
        json_t *json = json_loadb(forms[0][0].data, forms[0][0].length, JSON_ALLOW_NUL, &fault);
        FUZZ_REQUIRE(json_is_object(json));
        json_decref(json);
        check_markup(buffer_string(&forms[0][1]));
    }
    for (int form = 0; form < FORMS; form++) {
        buffer_free(&forms[0][form]);
        buffer_free(&forms[1][form]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(0);
    struct error error = {0};
    struct state_folder folder;
    log_set_stderr_level(LOG_ERROR);
    fuzz_unpack((struct text){(const char *)data, size});
    FUZZ_REQUIRE(state_folder_name(&folder, fuzz_folder(), arena, &error) == STATUS_OK);
    read_state(&folder);
    read_report(&folder, size % 2 == 0);
    read_past_runs(&folder, arena);
    read_run(&folder, arena);
    read_metrics(&folder, arena);
    arena_destroy(arena);
    return 0;
}

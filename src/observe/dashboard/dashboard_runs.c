/* Runs of the state folders, and texts that are made again only when their files change. */
#include "observe/dashboard/dashboard_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "observe/report_parts.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAST_SHOWN_MAX = 500 };

/* The key of the folder's own run, whatever it is: one that has no state.json yet. */
static const char now[] = "now";

/* ---- texts of files */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + UINT64_C(0x9e3779b97f4a7c15) + (hash << 6) + (hash >> 2);
    return hash * UINT64_C(0xff51afd7ed558ccd);
}

uint64_t dashboard_signature(const char *folder, const char *const *files, bool at_work)
{
    uint64_t hash = mix(1, at_work);
    struct arena *arena = arena_create(0);
    for (; *files != NULL; files++) {
        struct stat facts;
        if (lstat(file_join(arena, folder, *files), &facts) == 0) {
            hash = mix(hash, (uint64_t)facts.st_ino);
            hash = mix(hash, (uint64_t)facts.st_size);
            hash = mix(hash, (uint64_t)facts.st_mtim.tv_sec);
            hash = mix(hash, (uint64_t)facts.st_mtim.tv_nsec);
        } else {
            hash = mix(hash, 0);
        }
    }
    arena_destroy(arena);
    return hash;
}

static void dashboard_runs_forget(struct dashboard_cached *cached)
{
    free(cached->name);
    buffer_free(&cached->text);
    *cached = (struct dashboard_cached){0};
}

/* The one that was used longest ago goes first. */
static void bound_cache(struct dashboard *dashboard)
{
    size_t bytes = 0;
    for (size_t i = 0; i < DASHBOARD_CACHED_MAX; i++) {
        bytes += dashboard->cached[i].text.capacity;
    }
    while (bytes > DASHBOARD_CACHED_BYTES_MAX) {
        struct dashboard_cached *oldest = NULL;
        for (size_t i = 0; i < DASHBOARD_CACHED_MAX; i++) {
            struct dashboard_cached *cached = &dashboard->cached[i];
            bool older = oldest == NULL || cached->used < oldest->used;
            oldest = cached->name != NULL && older ? cached : oldest;
        }
        bytes -= oldest->text.capacity;
        dashboard_runs_forget(oldest);
    }
}

const struct buffer *dashboard_cache_find(struct dashboard *dashboard, const char *name,
                                          uint64_t signature, struct buffer **fresh)
{
    struct dashboard_cached *oldest = &dashboard->cached[0];
    for (size_t i = 0; i < DASHBOARD_CACHED_MAX; i++) {
        struct dashboard_cached *cached = &dashboard->cached[i];
        if (cached->name != NULL && strcmp(cached->name, name) == 0) {
            oldest = cached;
            break;
        }
        oldest = cached->used < oldest->used ? cached : oldest;
    }
    bool known = oldest->name != NULL && strcmp(oldest->name, name) == 0;
    if (!known || oldest->signature != signature) {
        dashboard_runs_forget(oldest);
        bound_cache(dashboard);
        oldest->name = memory_copy_string(name);
        oldest->signature = signature;
        *fresh = &oldest->text;
        known = false;
    }
    oldest->used = ++dashboard->looks;
    return known ? &oldest->text : NULL;
}

void dashboard_cache_free(struct dashboard *dashboard)
{
    for (size_t i = 0; i < DASHBOARD_CACHED_MAX; i++) {
        dashboard_runs_forget(&dashboard->cached[i]);
    }
}

/* ---- which runs there are */

static bool is_at_work(const char *state_folder, struct arena *arena)
{
    return file_is_locked(file_join(arena, state_folder, "lock"));
}

/* "2.20260131T235959Z-1f3a5c" or "2.now": the number of the folder, and the run in it. */
bool dashboard_find(const struct dashboard *dashboard, const char *key, struct arena *arena,
                    struct dashboard_run *run)
{
    char *end;
    unsigned long number = strtoul(key, &end, 10);
    if (key[0] < '0' || key[0] > '9' || *end != '.' || number >= dashboard->options.folder_count) {
        return false;
    }
    const char *id = end + 1;
    const char *state_folder = dashboard->options.folders[number];
    bool any = strcmp(id, now) == 0;
    if (!any && !report_is_run_id(id)) {
        return false;
    }
    const char *past = any ? NULL : arena_format(arena, "%s/runs/%s", state_folder, id);
    bool is_past = past != NULL && file_exists(past);
    *run = (struct dashboard_run){.key = arena_copy_string(arena, key),
                                  .id = any ? NULL : arena_copy_string(arena, id),
                                  .folder = is_past ? past : state_folder,
                                  .state_folder = state_folder,
                                  .is_current = !is_past};
    run->at_work = run->is_current && is_at_work(state_folder, arena);
    return file_exists(run->folder) != 0;
}

static void append_text(struct buffer *out, const char *name, const char *text)
{
    buffer_format(out, ",\"%s\":", name);
    report_json(out, text);
}

static void dashboard_runs_describe(const struct report *report, struct buffer *out)
{
    append_text(out, "run", report->run);
    append_text(out, "kind", report->kind);
    append_text(out, "verdict", report_verdict(report));
    append_text(out, "status", report->status);
    append_text(out, "phase", report->phase);
    append_text(out, "source", report->source);
    append_text(out, "target", report->target);
    append_text(out, "started_at", report->started_at);
    append_text(out, "updated_at", report->updated_at);
    append_text(out, "ended_at", report->ended_at);
    buffer_format(out, ",\"attempts\":%" PRIu32 ",\"written\":%" PRIu64 ",\"rejected\":%" PRIu64,
                  report->attempt_count, report->sum.written, report->sum.rejected);
    buffer_format(out, ",\"total\":%" PRId64, report->sum.total);
}

/* The entry of one run in a list, from `,"run":` on; empty: there is none. */
static const struct buffer *dashboard_runs_look(struct dashboard *dashboard, const char *folder,
                                                bool at_work, struct arena *arena)
{
    static const char *const files[] = {"state.json", "validation.json", NULL};
    struct buffer *fresh;
    struct report report;
    struct error ignored;
    uint64_t signature = dashboard_signature(folder, files, at_work);
    const struct buffer *known =
        dashboard_cache_find(dashboard, arena_format(arena, "list %s", folder), signature, &fresh);
    if (known != NULL) {
        return known;
    }
    if (report_read_parts(folder, at_work, REPORT_VALIDATION | REPORT_QUIETLY, &report, &ignored) ==
        STATUS_OK) {
        dashboard_runs_describe(&report, fresh);
    }
    report_free(&report);
    return fresh;
}

struct listing {
    struct dashboard *dashboard;
    struct arena *arena;
    struct buffer *out;
    uint32_t count;
};

static bool is_of_ledger(const struct dashboard *dashboard, uint32_t number)
{
    return dashboard->options.ledger != NULL && number + 1 == dashboard->options.folder_count;
}

/* Among those that were listed so far? */
static bool is_listed(const struct listing *listing, const char *id)
{
    const char *member = arena_format(listing->arena, ",\"run\":\"%s\"", id);
    return memmem(listing->out->data, listing->out->length, member, strlen(member)) != NULL;
}

static void begin_run(struct listing *listing, uint32_t number, const char *id, bool current,
                      bool at_work)
{
    buffer_append_string(listing->out, listing->count++ == 0 ? "\n{\"key\":" : ",\n{\"key\":");
    report_json(listing->out, arena_format(listing->arena, "%" PRIu32 ".%s", number, id));
    append_text(listing->out, "folder",
                is_of_ledger(listing->dashboard, number)
                    ? listing->dashboard->options.ledger
                    : listing->dashboard->options.folders[number]);
    buffer_format(listing->out, ",\"current\":%s,\"at_work\":%s", current ? "true" : "false",
                  at_work ? "true" : "false");
}

/* The id that the text of a look begins with; NULL: it has none that may be part of a path. */
static const char *id_of(const struct buffer *about, struct arena *arena)
{
    static const char begin[] = ",\"run\":\"";
    size_t skipped = strlen(begin);
    if (about->length <= skipped) {
        return NULL;
    }
    const char *text = arena_copy(arena, about->data + skipped, about->length - skipped);
    char *id = arena_format(arena, "%.*s", (int)strcspn(text, "\""), text);
    return report_is_run_id(id) ? id : NULL;
}

static void list_current(struct listing *listing, uint32_t number)
{
    const char *folder = listing->dashboard->options.folders[number];
    bool at_work = is_at_work(folder, listing->arena);
    const struct buffer *about =
        dashboard_runs_look(listing->dashboard, folder, at_work, listing->arena);
    const char *id = id_of(about, listing->arena);
    if (about->length > 0 || at_work) {
        begin_run(listing, number, id != NULL ? id : now, true, at_work);
        buffer_append(listing->out, about->data, about->length);
        buffer_append_byte(listing->out, '}');
    }
}

static int newest_first(const void *left, const void *right)
{
    return text_compare_strings(right, left);
}

/* Ids begin with the time. */
static void list_past(struct listing *listing, uint32_t number)
{
    struct entries entries;
    struct error ignored;
    const char *name;
    struct buffer names = {0};
    const char *runs =
        file_join(listing->arena, listing->dashboard->options.folders[number], "runs");
    if (entries_open(&entries, runs, ERROR_STATE_INVALID, &ignored) != STATUS_OK) {
        return;
    }
    while (entries_next(&entries, &name, &ignored) == STATUS_OK) {
        const char *copy = arena_copy_string(listing->arena, name);
        if (report_is_run_id(copy)) {
            buffer_append(&names, &copy, sizeof(copy));
        }
    }
    entries_close(&entries);
    size_t count = names.length / sizeof(char *);
    char **list = (void *)names.data;
    if (count > 1) {
        qsort(list, count, sizeof(char *), newest_first);
    }
    for (size_t i = 0; i < count && i < PAST_SHOWN_MAX; i++) {
        const struct buffer *about = dashboard_runs_look(
            listing->dashboard, file_join(listing->arena, runs, list[i]), false, listing->arena);
        bool other = is_of_ledger(listing->dashboard, number) && is_listed(listing, list[i]);
        if (about->length > 0 && !other) {
            begin_run(listing, number, list[i], false, false);
            buffer_append(listing->out, about->data, about->length);
            buffer_append_byte(listing->out, '}');
        }
    }
    buffer_free(&names);
}

void dashboard_append_runs(struct dashboard *dashboard, struct buffer *out)
{
    struct listing listing = {.dashboard = dashboard, .arena = arena_create(0), .out = out};
    buffer_format(out, "{\"format\":1,\"allow_control\":%s",
                  dashboard->options.allow_control ? "true" : "false");
    append_text(out, "version", TRANSHUME_VERSION);
    buffer_append_string(out, ",\"runs\":[");
    for (uint32_t i = 0; i < dashboard->options.folder_count; i++) {
        list_current(&listing, i);
        list_past(&listing, i);
    }
    buffer_append_string(out, "]}\n");
    arena_destroy(listing.arena);
}

/* Scenes: the parts that they are made of, and how they are played with kills. */
#include "scene.h"
#include "base/buffer.h"
#include "base/failpoint.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IDS_MAX = 64, NAMES_MAX = 64, STRANGE_EXIT = 9 };

/* ---- parts */

void scene_begin_run(struct fixture *fixture, const char *run_id, enum existing_policy existing)
{
    fixture->run_id = run_id;
    fixture->table.existing = existing;
    fixture->table.created = false;
    fixture_make_run(fixture);
}

void scene_write(struct fixture *fixture, uint64_t chunk, int64_t first, uint32_t count,
                 const char *value)
{
    struct cell cell = cell_text(value, strlen(value));
    assert_int_equal(fixture_chunk(fixture, chunk, first, count, &cell).written, count);
}

void scene_end_run(struct fixture *fixture)
{
    struct error error = {0};
    const struct connector *connector = fixture->target->connector;
    if (fixture->writer) {
        connector->target->writer_close(fixture->writer);
        fixture->writer = NULL;
    }
    check_ok(ledger_set_status(fixture->ledger, fixture->run_id, fixture->epoch,
                               "{\"phase\":\"completed\"}", &error),
             &error, "set_status");
    check_ok(ledger_release(fixture->ledger, fixture->run_id, fixture->epoch, &error), &error,
             "release");
}

bool scene_claim(struct fixture *fixture, const char *run_id)
{
    struct error error = {0};
    struct ledger_run *run;
    enum status status = ledger_load(fixture->ledger, run_id, fixture->arena, &run, &error);
    if (status == STATUS_END) {
        return false;
    }
    check_ok(status, &error, "load");
    fixture->run_id = run_id;
    fixture->epoch = run->epoch;
    fixture_claim(fixture);
    return true;
}

bool scene_policy_fits(struct fixture *fixture, enum existing_policy existing)
{
    struct buffer lines = {0};
    fixture->table.existing = existing;
    fixture_check_table(fixture, &lines);
    bool fits = lines.length == 0;
    buffer_free(&lines);
    return fits;
}

static void note_record(void *context, int64_t id, const struct cell *value)
{
    char(*records)[16] = context;
    assert_true(id >= 0 && id < IDS_MAX);
    assert_int_equal(value->kind, VALUE_TEXT);
    if (records[id][0] != '\0') {
        fail_msg("record %d is there twice", (int)id);
    }
    snprintf(records[id], sizeof records[id], "%.*s", (int)value->length, value->text);
}

void scene_check_records(struct fixture *fixture, const char *expected)
{
    char records[IDS_MAX][16] = {0};
    struct buffer found = {0};
    fixture_read(fixture, 100, note_record, records);
    for (int id = 0; id < IDS_MAX; id++) {
        if (records[id][0] != '\0') {
            buffer_format(&found, "%s%d=%s", found.length > 0 ? " " : "", id, records[id]);
        }
    }
    assert_string_equal(buffer_string(&found), expected);
    buffer_free(&found);
}

void scene_check_runs(struct fixture *fixture, const char *expected)
{
    struct error error = {0};
    const char **ids;
    uint32_t count;
    struct buffer found = {0};
    check_ok(ledger_list(fixture->ledger, fixture->arena, &ids, &count, &error), &error, "list");
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(&found, "%s%s", i > 0 ? " " : "", ids[i]);
    }
    assert_string_equal(buffer_string(&found), expected);
    buffer_free(&found);
}

bool scene_table_exists(struct fixture *fixture)
{
    struct error error = {0};
    bool exists = false;
    bool filled = false;
    check_ok(fixture->target->connector->target->inspect(fixture->target, &fixture->table, 1,
                                                         &exists, &filled, &error),
             &error, "inspect");
    return exists;
}

/* ---- playing */

/* How often each failpoint was hit. */
struct hits {
    char names[NAMES_MAX][128]; /* the connector's and the ledger's */
    uint32_t counts[NAMES_MAX];
    uint32_t count;
};

static void read_hits(const char *path, const struct connector *connector, struct hits *hits)
{
    char line[128];
    FILE *file = fopen(path, "re");
    hits->count = 0;
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        uint32_t at = 0;
        while (at < hits->count && strcmp(hits->names[at], line) != 0) {
            at++;
        }
        if (!contract_reaches(connector, line)) {
            fail_msg("%s is no failpoint of the connector or the ledger", line);
        }
        assert_true(at < NAMES_MAX);
        if (at == hits->count) {
            snprintf(hits->names[hits->count], sizeof hits->names[0], "%s", line);
            hits->counts[hits->count++] = 0;
        }
        hits->counts[at]++;
    }
    if (file) {
        fclose(file);
    }
}

/* A fixture as the scene wants it, its connection closed. False: the target lacks the function. */
static bool set(struct fixture *fixture, const struct contract_entry *entry,
                const struct scene *scene)
{
    fixture_open(fixture, entry);
    if (!scene->prepare(fixture)) {
        fixture_close(fixture);
        return false;
    }
    fixture_leave(fixture);
    return true;
}

static void return_and_act(struct fixture *fixture, const struct scene *scene, bool killed)
{
    fixture_open_again(fixture);
    if (scene_claim(fixture, fixture->run_id)) {
        if (killed && scene->look) {
            scene->look(fixture);
        }
        scene->act(fixture);
    } else if (!scene->ends_run) {
        fail_msg("%s: the run is not in the ledger any more", scene->name);
    }
}

/* In a child, with what the environment says of failpoints. True: it was killed there. */
static bool act_in_child(struct fixture *fixture, const struct scene *scene, const char *variable,
                         const char *setting)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct error error = {0};
        fixture_open_again(fixture);
        if (!scene_claim(fixture, fixture->run_id)) {
            _exit(STRANGE_EXIT);
        }
        setenv(variable, setting, 1);
        if (failpoint_setup(&error) != STATUS_OK) {
            _exit(STRANGE_EXIT);
        }
        scene->act(fixture);
        _exit(0);
    }
    waitpid(child, &status, 0);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        fail_msg("%s with %s ended with status %x", scene->name, setting, (unsigned)status);
    }
    return killed;
}

static bool play_whole(const struct contract_entry *entry, const struct scene *scene,
                       struct hits *hits)
{
    struct fixture fixture;
    char path[sizeof fixture.folder + 8];
    if (!set(&fixture, entry, scene)) {
        return false;
    }
    snprintf(path, sizeof path, "%s.hits", fixture.folder);
    assert_false(act_in_child(&fixture, scene, "TRANSHUME_FAILPOINT_COUNT", path));
    read_hits(path, contract_connector(entry), hits);
    unlink(path);
    for (int repeat = 0; repeat < 2; repeat++) {
        return_and_act(&fixture, scene, false);
        if (repeat == 0) {
            fixture_leave(&fixture);
        }
    }
    scene->check(&fixture);
    fixture_close(&fixture);
    return true;
}

static void play_killed(const struct contract_entry *entry, const struct scene *scene,
                        const char *failpoint, uint32_t occurrence)
{
    struct fixture fixture;
    char setting[128];
    assert_true(set(&fixture, entry, scene));
    snprintf(setting, sizeof setting, "%s:kill:%u", failpoint, occurrence);
    /* How often a failpoint is hit may hang on what the server makes of its statistics. */
    bool killed = act_in_child(&fixture, scene, "TRANSHUME_FAILPOINT", setting);
    if (!killed && occurrence == 1) {
        fail_msg("%s: %s was not reached", scene->name, setting);
    }
    print_message("    %s: %s%s\n", scene->name, setting, killed ? "" : ", not reached");
    return_and_act(&fixture, scene, killed);
    scene->check(&fixture);
    fixture_close(&fixture);
}

void scene_play(const struct contract_entry *entry, const struct scene *scene)
{
    struct hits hits;
    if (!play_whole(entry, scene, &hits)) {
        return;
    }
    if (hits.count == 0) {
        fail_msg("%s: %s changes something and comes by no failpoint", entry->name, scene->name);
    }
    const char *seed = getenv("TRANSHUME_SEED");
    unsigned long turn = seed ? strtoul(seed, NULL, 10) : 0;
    bool all = getenv("TRANSHUME_SOAK") != NULL;
    for (uint32_t at = 0; at < hits.count; at++, turn++) {
        uint32_t last = hits.counts[at];
        uint32_t middle = (last + 1) / 2;
        if (all || turn % 2 == 0 || last == 1) {
            play_killed(entry, scene, hits.names[at], 1);
        }
        if (all && middle > 1 && middle < last) {
            play_killed(entry, scene, hits.names[at], middle);
        }
        if (last > 1 && (all || turn % 2 == 1)) {
            play_killed(entry, scene, hits.names[at], last);
        }
    }
}

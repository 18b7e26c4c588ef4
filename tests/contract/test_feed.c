/* Change sets: applied whole and once, told by the feed as they happened, and carried from one
 * database to another through kills. */
#include "base/failpoint.h"
#include "contract.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IDS = 40, TABLES = 2, SETS = 60, CHANGES_MAX = 5 };

/* Two tables of the kind of `things`, and what is in them. */
struct changing {
    struct fixture fixture;
    struct target_table tables[TABLES];
    struct apply *apply;
    uint32_t lane;
    uint64_t random;
    int64_t values[TABLES][IDS]; /* 0: the record is absent */
    int64_t next_value;
};

static uint32_t draw(struct changing *changing, uint32_t limit)
{
    changing->random = changing->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(changing->random >> 33) % limit;
}

/* Does the target have a place for positions and notes? Else the engine keeps them, and whatever
 * was not known to be applied is applied again. */
static bool has_place(const struct changing *changing)
{
    return changing->fixture.target->connector->apply->position != NULL;
}

/* STATUS_END: none is there. */
static enum status read_position(struct changing *changing, struct arena *arena,
                                 struct position *position)
{
    struct error error = {0};
    *position = (struct position){0};
    enum status status = has_place(changing) ? changing->fixture.target->connector->apply->position(
                                                   changing->apply, arena, position, &error)
                                             : STATUS_END;
    assert_int_not_equal(status, STATUS_FAILED);
    return status;
}

/* ---- notes that are kept with a position */

static const char last_note[] = "run/contract/reject/last";
static const char refused_note[] = "run/contract/reject/refused";

/* The end of what is about to be committed, and whether anything of it is refused. */
static enum status take_notes(void *context, const struct apply_call *call, struct arena *arena,
                              const struct apply_note **notes, uint32_t *count, struct error *error)
{
    struct apply_note *made = arena_allocate_zeroed(arena, 2, sizeof *made);
    const struct position end = call->sets[call->end - 1]->end;
    (void)context;
    (void)error;
    assert_true(call->first < call->end);
    for (uint32_t i = 0; i < call->refusal_count; i++) {
        assert_true(call->refusals[i].set >= call->first && call->refusals[i].set < call->end);
    }
    const char *text = arena_format(arena, "\"%.*s\"", (int)end.length, (const char *)end.bytes);
    made[0] = (struct apply_note){.key = last_note, .text = text, .length = strlen(text)};
    made[1] = (struct apply_note){.key = refused_note};
    if (call->refusal_count > 0) {
        made[1].text = "{\"refused\":true}";
        made[1].length = strlen(made[1].text);
    }
    *notes = made;
    *count = 2;
    return STATUS_OK;
}

/* NULL: it is not there. */
static const char *find_note(struct changing *changing, const char *key, struct arena *arena)
{
    struct error error = {0};
    struct database *target = changing->fixture.target;
    const struct store_functions *functions = target->connector->store;
    struct store_value value = {0};
    struct store *store;
    check_ok(functions->open(target, &store, &error), &error, "store open");
    enum status status = functions->get(store, key, arena, &value, &error);
    functions->close(store);
    assert_int_not_equal(status, STATUS_FAILED);
    return status == STATUS_OK ? value.text : NULL;
}

static void check_note(struct changing *changing, const char *key, const char *expected)
{
    struct arena *arena = arena_create(0);
    const char *found = has_place(changing) ? find_note(changing, key, arena) : expected;
    if (expected == NULL) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_string_equal(found, expected);
    }
    arena_destroy(arena);
}

/* In the commit of the position, or before it. */
static void check_last_note(struct changing *changing, const struct position *position)
{
    struct arena *arena = arena_create(0);
    const char *found = find_note(changing, last_note, arena);
    bool together = (changing->fixture.target->capabilities & CAPABILITY_TRANSACTIONS) != 0;
    assert_true(found != NULL || position->length == 0);
    if (found != NULL && position->length > 0) {
        int order = memcmp(found + 1, position->bytes, position->length);
        assert_true(together ? order == 0 : order >= 0);
    }
    arena_destroy(arena);
}

static void open_apply(struct changing *changing)
{
    struct error error = {0};
    const struct apply_request request = {.feed = "things_feed",
                                          .lane = changing->lane,
                                          .take_notes = has_place(changing) ? take_notes : NULL,
                                          .tables = changing->tables,
                                          .table_count = TABLES};
    struct database *target = changing->fixture.target;
    check_ok(target->connector->apply->open(target, &request, &changing->apply, &error), &error,
             "apply open");
}

/* Where claims are leases, nothing is written without one. */
static void claim(struct fixture *fixture)
{
    const struct ledger_chunk chunk = {.number = 1, .span = {.printable = "all"}};
    if (fixture->target->lease_ms > 0) {
        fixture_create_run(fixture, &chunk, 1);
        fixture_claim(fixture);
    }
}

static void begin(struct changing *changing, const struct contract_entry *entry)
{
    struct error error = {0};
    struct fixture *fixture = &changing->fixture;
    *changing = (struct changing){.random = 7, .next_value = 1};
    fixture_open(fixture, entry);
    claim(fixture);
    for (int i = 0; i < TABLES; i++) {
        changing->tables[i] = fixture->table;
    }
    changing->tables[1].name = "others";
    check_ok(fixture->target->connector->target->prepare(
                 fixture->target,
                 &(struct prepare_request){.tables = changing->tables, .table_count = TABLES},
                 &error),
             &error, "prepare");
    open_apply(changing);
}

static void end(struct changing *changing)
{
    changing->fixture.target->connector->apply->close(changing->apply);
    fixture_close(&changing->fixture);
}

static struct cell *record(struct arena *arena, int64_t id, int64_t value)
{
    struct cell *cells = arena_allocate_zeroed(arena, 2, sizeof *cells);
    const char *text = arena_format(arena, "%lld", (long long)value);
    cells[0] = cell_int64(id);
    cells[1] = cell_text(text, strlen(text));
    return cells;
}

/* An insert, an update, a delete, or an update that moves the record to another key. */
static void make_change(struct changing *changing, struct arena *arena,
                        struct record_change *change)
{
    uint32_t table = draw(changing, TABLES);
    int64_t *values = changing->values[table];
    uint32_t id = draw(changing, IDS);
    uint32_t to = draw(changing, 4) == 0 ? draw(changing, IDS) : id;
    struct cell *key = arena_allocate_zeroed(arena, 1, sizeof *key);
    key[0] = cell_int64(id);
    *change = (struct record_change){.table = table, .key = key, .key_count = 1};
    if (values[id] != 0 && draw(changing, 3) == 0) {
        change->operation = RECORD_DELETE;
        values[id] = 0;
        return;
    }
    change->operation = values[id] != 0 ? RECORD_UPDATE : RECORD_INSERT;
    to = change->operation == RECORD_INSERT || values[to] != 0 ? id : to;
    change->after = record(arena, to, changing->next_value);
    values[id] = 0;
    values[to] = changing->next_value++;
}

static struct change_set *make_set(struct changing *changing, uint64_t number)
{
    struct arena *arena = arena_create(0);
    struct change_set *set = arena_allocate_zeroed(arena, 1, sizeof *set);
    struct change_table *tables = arena_allocate_zeroed(arena, TABLES, sizeof *tables);
    struct record_change *changes = arena_allocate_zeroed(arena, CHANGES_MAX, sizeof *changes);
    const char *place = arena_format(arena, "%08llu", (unsigned long long)number);
    for (int i = 0; i < TABLES; i++) {
        tables[i] = (struct change_table){changing->tables[i].name, &changing->fixture.shape};
    }
    *set = (struct change_set){.arena = arena,
                               .end = {(const uint8_t *)place, 8},
                               .first_piece = true,
                               .last_piece = true,
                               .tables = tables,
                               .table_count = TABLES,
                               .changes = changes,
                               .change_count = 1 + draw(changing, CHANGES_MAX)};
    for (uint32_t i = 0; i < set->change_count; i++) {
        make_change(changing, arena, &changes[i]);
    }
    return set;
}

static enum status apply_set(struct changing *changing, const struct change_set *set,
                             struct error *error)
{
    struct apply_result result;
    struct arena *arena = arena_create(0);
    enum status status = changing->fixture.target->connector->apply->apply_sets(
        changing->apply, &set, 1, arena, &result, error);
    assert_int_equal(status == STATUS_OK ? result.refusal_count : 0, 0);
    arena_destroy(arena);
    return status;
}

static void apply_some(struct changing *changing, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct error error = {0};
        struct change_set *set = make_set(changing, (uint64_t)changing->next_value);
        check_ok(apply_set(changing, set, &error), &error, "apply");
        arena_destroy(set->arena);
    }
}

/* ---- what is in a database */

static void note_value(void *context, int64_t id, const struct cell *value)
{
    char text[32];
    int64_t *found = context;
    assert_true(id >= 0 && id < IDS);
    assert_int_equal(found[id], 0);
    assert_int_equal(value->kind, VALUE_TEXT);
    snprintf(text, sizeof text, "%.*s", (int)value->length, value->text);
    found[id] = strtoll(text, NULL, 10);
}

static void check_contents(struct fixture *fixture, const struct changing *expected)
{
    int64_t found[IDS] = {0};
    uint64_t others = 0;
    uint64_t count = 0;
    struct error error = {0};
    fixture_read(fixture, 1000, note_value, found);
    for (int id = 0; id < IDS; id++) {
        if (found[id] != expected->values[0][id]) {
            fail_msg("record %d is %lld, not %lld", id, (long long)found[id],
                     (long long)expected->values[0][id]);
        }
        others += expected->values[1][id] != 0;
    }
    check_ok(fixture->target->connector->target->count(fixture->target, &expected->tables[1],
                                                       &count, &error),
             &error, "count");
    assert_int_equal(count, others);
}

static bool has_both(const struct contract_entry *entry)
{
    const struct connector *connector = contract_connector(entry);
    return connector->feed != NULL && connector->apply != NULL && !entry->lacks_apply;
}

/* ---- applying */

/* Another process moved the position on: this one may not apply any more. */
static void check_fenced(struct changing *at, struct change_set *set)
{
    struct error error = {0};
    struct apply *first = at->apply;
    if (!has_place(at)) {
        return;
    }
    open_apply(at);
    set->change_count = 0;
    set->end = (struct position){(const uint8_t *)"other", 5};
    check_ok(apply_set(at, set, &error), &error, "apply beside");
    struct apply *second = at->apply;
    at->apply = first;
    assert_int_equal(apply_set(at, set, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    at->fixture.target->connector->apply->close(second);
}

static void check_position(struct changing *at, const char *expected)
{
    struct position position;
    if (!has_place(at)) {
        return;
    }
    assert_int_equal(read_position(at, at->fixture.arena, &position), STATUS_OK);
    assert_int_equal(position.length, strlen(expected));
    assert_memory_equal(position.bytes, expected, position.length);
}

/* Its tables stay as they are: what is in the log tests/system/test_follow_files.py reads. */
static void check_log(struct changing *at)
{
    struct error error = {0};
    struct change_set *piece = make_set(at, 77);
    check_ok(apply_set(at, piece, &error), &error, "apply");
    piece->end = (struct position){(const uint8_t *)"piece", 5};
    piece->last_piece = false;
    check_ok(apply_set(at, piece, &error), &error, "apply a piece");
    check_position(at, "00000077");
    at->fixture.target->connector->apply->close(at->apply);
    open_apply(at);
    check_position(at, "00000077");
    piece->last_piece = true;
    check_fenced(at, piece);
    arena_destroy(piece->arena);
}

void contract_test_apply(const struct contract_entry *entry)
{
    struct changing changing;
    struct error error = {0};
    struct position position;
    const struct apply_functions *functions = contract_connector(entry)->apply;
    if (functions == NULL || entry->lacks_apply) {
        return;
    }
    begin(&changing, entry);
    if (functions->keeps_log) {
        check_log(&changing);
        end(&changing);
        return;
    }
    struct arena *arena = changing.fixture.arena;
    assert_int_equal(read_position(&changing, arena, &position), STATUS_END);
    apply_some(&changing, SETS);
    check_contents(&changing.fixture, &changing);

    /* part of a record: what is MISSING stays as it is, also of a record that moves */
    struct changing *at = &changing;
    struct change_set *set = make_set(at, 1);
    struct record_change partial = {
        .operation = RECORD_UPDATE, .key = set->changes[0].key, .key_count = 1};
    struct cell moved[2] = {cell_int64(0), cell_missing()};
    struct cell key = cell_int64(0);
    check_ok(apply_set(at, set, &error), &error, "apply");
    at->values[0][0] = at->values[0][1] = 0;
    struct record_change steps[3] = {
        {.operation = RECORD_DELETE, .key = &(struct cell){0}, .key_count = 1},
        {.operation = RECORD_INSERT, .after = record(set->arena, 0, 900)},
        partial,
    };
    struct cell one = cell_int64(1);
    steps[0].key = &one;
    steps[2].key = &key;
    moved[0] = cell_int64(1);
    steps[2].after = moved;
    at->values[0][1] = 900;
    set->changes = steps;
    set->change_count = 3;
    set->end = (struct position){(const uint8_t *)"later", 5};
    check_ok(apply_set(at, set, &error), &error, "apply a part");
    check_contents(&at->fixture, at);

    /* of one that stays, too, and of one whose rest is new in the same set */
    struct record_change stays[3] = {steps[2], steps[1], steps[2]};
    struct cell there[2] = {cell_int64(1), cell_missing()};
    struct cell new_one[2] = {cell_int64(3), cell_missing()};
    struct cell three = cell_int64(3);
    stays[0].key = &one;
    stays[0].after = there;
    stays[1].after = record(set->arena, 3, 902);
    stays[2].key = &three;
    stays[2].after = new_one;
    at->values[0][3] = 902;
    set->changes = stays;
    set->end = (struct position){(const uint8_t *)"stays", 5};
    check_ok(apply_set(at, set, &error), &error, "apply a part that stays");
    check_contents(&at->fixture, at);

    /* a key that is null is refused alone; the position comes along */
    struct cell bad[2] = {cell_null(), cell_text("x", 1)};
    struct record_change refused[2] = {
        {.operation = RECORD_INSERT, .after = bad},
        {.operation = RECORD_INSERT, .after = record(set->arena, 2, 901)},
    };
    const struct change_set *sets[] = {set};
    struct apply_result result;
    at->values[0][2] = 901;
    set->changes = refused;
    set->change_count = 2;
    set->end = (struct position){(const uint8_t *)"last", 4};
    check_ok(functions->apply_sets(at->apply, sets, 1, arena, &result, &error), &error, "apply");
    assert_int_equal(result.refusal_count, 1);
    assert_int_equal(result.refusals[0].change, 0);
    assert_int_equal(result.refusals[0].code, ERROR_REJECT_KEY_NULL);
    check_contents(&at->fixture, at);
    check_position(at, "last");
    check_note(at, last_note, "\"last\"");
    check_note(at, refused_note, "{\"refused\":true}");
    set->changes = &refused[1];
    set->change_count = 1;
    set->end = (struct position){(const uint8_t *)"next", 4};
    check_ok(apply_set(at, set, &error), &error, "apply what is not refused");
    check_note(at, refused_note, NULL);

    check_fenced(at, set);
    arena_destroy(set->arena);
    end(at);
}

/* ---- keys that change */

/* "1=2": the record 1 gets the key 2. "5-": it goes. "5+": it is put. Values are new ones. */
static void apply_keys(struct changing *at, const char *steps)
{
    struct error error = {0};
    struct arena *arena = arena_create(0);
    struct record_change changes[CHANGES_MAX + 3] = {{0}};
    struct change_table tables[TABLES];
    const char *place = arena_format(arena, "keys %lld", (long long)at->next_value);
    int64_t values[IDS];
    struct change_set set = {.arena = arena,
                             .end = {(const uint8_t *)place, (uint32_t)strlen(place)},
                             .first_piece = true,
                             .last_piece = true,
                             .tables = tables,
                             .table_count = TABLES,
                             .changes = changes};
    memcpy(values, at->values[0], sizeof values);
    for (int i = 0; i < TABLES; i++) {
        tables[i] = (struct change_table){at->tables[i].name, &at->fixture.shape};
    }
    for (const char *step = steps; *step != '\0'; step += strspn(step, " ")) {
        char *behind;
        struct cell *key = arena_allocate_zeroed(arena, 1, sizeof *key);
        struct record_change *change = &changes[set.change_count++];
        long from = strtol(step, &behind, 10);
        char what = *behind;
        long to = what == '=' ? strtol(behind + 1, &behind, 10) : from;
        *key = cell_int64(from);
        *change = (struct record_change){.key = key,
                                         .key_count = 1,
                                         .operation = what == '-'   ? RECORD_DELETE
                                                      : what == '+' ? RECORD_INSERT
                                                                    : RECORD_UPDATE};
        change->after = what == '-' ? NULL : record(arena, to, at->next_value);
        values[to] = what == '-' ? 0 : at->next_value++;
        step = behind + (what != '=');
    }
    check_ok(apply_set(at, &set, &error), &error, steps);
    memcpy(at->values[0], values, sizeof values);
    arena_destroy(arena);
}

/* Records 1 to 5, and what the steps leave of them: "2 3" are the keys that are there then. */
static void check_keys(struct changing *at, const char *steps, const char *left)
{
    bool is_left[IDS] = {false};
    apply_keys(at, "1+ 2+ 3+ 4+ 5+");
    apply_keys(at, steps);
    for (const char *id = left; *id != '\0'; id += strspn(id, " ")) {
        char *behind;
        is_left[strtol(id, &behind, 10)] = true;
        id = behind;
    }
    for (int id = 0; id < IDS; id++) {
        at->values[0][id] = is_left[id] ? at->values[0][id] : 0;
    }
    check_contents(&at->fixture, at);
    apply_keys(at, "1- 2- 3- 4- 5- 6- 7- 8-");
    memset(at->values[0], 0, sizeof at->values[0]);
}

/* As a source that checks its keys when a transaction ends may tell of them. */
void contract_test_apply_keys(const struct contract_entry *entry)
{
    struct changing changing;
    const struct apply_functions *functions = contract_connector(entry)->apply;
    if (functions == NULL || entry->lacks_apply || !functions->moves_records) {
        return;
    }
    begin(&changing, entry);
    check_keys(&changing, "1=7", "2 3 4 5 7");
    check_keys(&changing, "1=2 2=1", "1 2 3 4 5");
    check_keys(&changing, "1=2 2=3 3=1", "1 2 3 4 5");
    check_keys(&changing, "1=2 2=3 3=4 4=5 5=6", "2 3 4 5 6");
    check_keys(&changing, "1=7 7=8", "2 3 4 5 8");
    check_keys(&changing, "1=2 2=1 2=7", "1 3 4 5 7");
    check_keys(&changing, "1=2 2=3 3=1 1=1 4-", "1 2 3 5");
    check_keys(&changing, "2- 1=2 3=1", "1 2 4 5");
    end(&changing);
}

/* ---- applying through kills */

enum { KILLED_SETS = 24 };

/* What is left of the sets behind the position, in a handle of its own. */
static void apply_rest(struct changing *changing, struct change_set *const *sets)
{
    struct error error = {0};
    struct position position;
    struct arena *arena = arena_create(0);
    const struct apply_functions *functions = changing->fixture.target->connector->apply;
    open_apply(changing);
    enum status status = read_position(changing, arena, &position);
    check_last_note(changing, &position);
    for (uint32_t i = 0; i < KILLED_SETS; i++) {
        if (status == STATUS_END || memcmp(sets[i]->end.bytes, position.bytes, 8) > 0) {
            check_ok(apply_set(changing, sets[i], &error), &error, "apply");
        }
    }
    functions->close(changing->apply);
    arena_destroy(arena);
}

static bool apply_and_die(struct changing *changing, struct change_set *const *sets,
                          const char *failpoint, int occurrence)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct error error = {0};
        char setting[128];
        snprintf(setting, sizeof setting, "%s:kill:%d", failpoint, occurrence);
        setenv("TRANSHUME_FAILPOINT", setting, 1);
        if (failpoint_setup(&error) != STATUS_OK) {
            _exit(9);
        }
        apply_rest(changing, sets);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status);
}

/* Without transactions: between the records of a set, and between them and the position. */
void contract_test_apply_killed(const struct contract_entry *entry)
{
    static const char *const places[] = {".before_apply", ".after_apply",  ".before_send",
                                         ".after_send",   ".after_answer", ".before_delete"};
    const struct connector *connector = contract_connector(entry);
    struct change_set *sets[KILLED_SETS];
    struct changing changing;
    uint32_t kills = 0;
    if (connector->apply == NULL || entry->lacks_apply || connector->apply->keeps_log ||
        (connector->capabilities & CAPABILITY_TRANSACTIONS) != 0) {
        return;
    }
    begin(&changing, entry);
    connector->apply->close(changing.apply);
    for (uint32_t i = 0; i < KILLED_SETS; i++) {
        sets[i] = make_set(&changing, i + 1);
    }
    for (uint32_t i = 0; i < sizeof places / sizeof *places; i++) {
        char failpoint[64];
        snprintf(failpoint, sizeof failpoint, "%s%s", connector->name, places[i]);
        for (const char *const *name = connector->failpoints; *name != NULL; name++) {
            kills += strcmp(*name, failpoint) == 0 &&
                     apply_and_die(&changing, sets, failpoint, 3 - (int)i % 2);
        }
    }
    assert_true(kills >= 2);
    apply_rest(&changing, sets);
    changing.apply = NULL;
    check_contents(&changing.fixture, &changing);
    for (uint32_t i = 0; i < KILLED_SETS; i++) {
        arena_destroy(sets[i]->arena);
    }
    end(&changing);
}

/* ---- following */

/* Where the source is: a server may take its time to bring what it has. */
static struct position head_of(struct fixture *source, struct arena *arena)
{
    struct error error = {0};
    struct position head;
    check_ok(source->target->connector->feed->head(source->target, arena, &head, &error), &error,
             "head");
    return head;
}

static struct position copy_position(struct position position, struct arena *arena)
{
    return (struct position){
        .bytes = (const uint8_t *)arena_copy(arena, position.bytes, position.length),
        .length = position.length};
}

static uint32_t table_number(const struct changing *target, const char *name)
{
    return strcmp(name, target->tables[0].name) == 0 ? 0 : 1;
}

/* The set keeps to the order that its feed declares. */
static void check_pieces(const struct feed_functions *functions, const struct change_set *set)
{
    struct arena *arena = arena_create(0);
    assert_true(functions->order == FEED_ORDER_COMMITS || (set->first_piece && set->last_piece));
    if (functions->lower != NULL) {
        struct position lower = functions->lower(set->begin, set->end, arena);
        assert_int_equal(feed_order_of(functions, lower, set->begin), POSITION_SAME);
    }
    arena_destroy(arena);
}

/* Carries everything up to `head` from the source to the target, from where the target stands. */
static void follow(struct fixture *source, struct changing *target, struct position start,
                   struct position head)
{
    enum { WAITS_MAX = 100, WAIT_MS = 200 };
    uint32_t waits = 0;
    struct error error = {0};
    struct feed *feed;
    struct change_set *set;
    struct arena *arena = arena_create(0);
    const struct feed_functions *functions = source->target->connector->feed;
    open_apply(target);
    struct position position = start;
    enum status status = read_position(target, arena, &position);
    check_ok(functions->open(source->target, "things_feed", status == STATUS_END ? start : position,
                             &feed, &error),
             &error, "feed open");
    position = status == STATUS_END ? start : position;
    while (!functions->covers(position, head) && waits < WAITS_MAX) {
        status = functions->next(feed, WAIT_MS, &set, &error);
        if (status == STATUS_AGAIN) {
            waits++;
            continue;
        }
        check_ok(status, &error, "next");
        assert_int_equal(feed_order_of(functions, set->begin, set->end), POSITION_BEFORE);
        check_pieces(functions, set);
        struct change_table *tables = arena_allocate_zeroed(set->arena, TABLES, sizeof *tables);
        struct record_change *changes =
            arena_allocate_zeroed(set->arena, set->change_count + 1, sizeof *changes);
        for (uint32_t i = 0; i < set->change_count; i++) {
            changes[i] = set->changes[i];
            changes[i].table = table_number(target, set->tables[changes[i].table].name);
        }
        for (uint32_t i = 0; i < set->table_count; i++) {
            tables[table_number(target, set->tables[i].name)] = set->tables[i];
        }
        set->tables = tables;
        set->table_count = TABLES;
        set->changes = changes;
        check_ok(apply_set(target, set, &error), &error, "apply");
        check_ok(functions->confirm(feed, set->end, &error), &error, "confirm");
        position = copy_position(set->end, arena);
        arena_destroy(set->arena);
    }
    assert_true(functions->covers(position, head));
    functions->close(feed);
    target->fixture.target->connector->apply->close(target->apply);
    target->apply = NULL;
    arena_destroy(arena);
}

/* In a child, killed at the failpoint's `occurrence`. True: it was killed. */
static bool follow_and_die(struct fixture *source, struct changing *target, struct position start,
                           const char *failpoint, int occurrence)
{
    struct arena *arena = arena_create(0);
    struct position head = head_of(source, arena);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct error error = {0};
        char setting[128];
        snprintf(setting, sizeof setting, "%s:kill:%d", failpoint, occurrence);
        setenv("TRANSHUME_FAILPOINT", setting, 1);
        if (failpoint_setup(&error) != STATUS_OK) {
            _exit(9);
        }
        follow(source, target, start, head);
        _exit(0);
    }
    arena_destroy(arena);
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status);
}

/* What is known of a feed without reading it, and before it is made. */
static void check_unread(struct changing *source, const struct followed_table *names)
{
    struct error error = {0};
    struct feed_health health;
    struct feed_forecast forecast;
    struct database *database = source->fixture.target;
    const struct feed_functions *functions = database->connector->feed;
    if (functions->look != NULL) {
        check_ok(functions->look(database, "things_feed", &health, &error), &error, "look");
        assert_true(health.bytes_kept != 0);
        assert_int_equal(functions->look(database, "no_such_feed", &health, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_FEED_LOST);
    }
    if (functions->foresee != NULL) {
        check_ok(functions->foresee(database, "foreseen_feed", names, TABLES, NULL,
                                    source->fixture.arena, &forecast, &error),
                 &error, "foresee");
        assert_true(forecast.cost_count > 0);
        assert_int_equal(forecast.native_count, 0);
        if (functions->look != NULL) {
            assert_int_equal(functions->look(database, "foreseen_feed", &health, &error),
                             STATUS_FAILED);
        }
    }
}

void contract_test_feed(const struct contract_entry *entry)
{
    struct changing source;
    struct changing target;
    struct error error = {0};
    struct feed_start start;
    struct feed_health health;
    if (!has_both(entry)) {
        return;
    }
    const struct connector *connector = contract_connector(entry);
    begin(&source, entry);
    begin(&target, entry);
    target.fixture.target->connector->apply->close(target.apply);
    target.lane = 1;
    const struct followed_table names[] = {{.name = "things"}, {.name = "others"}};
    check_ok(connector->feed->create(source.fixture.target, "things_feed", names, TABLES,
                                     source.fixture.arena, &start, &error),
             &error, "feed create");
    apply_some(&source, SETS);
    struct feed *feed;
    check_ok(
        connector->feed->open(source.fixture.target, "things_feed", start.position, &feed, &error),
        &error, "feed open");
    check_ok(connector->feed->health(feed, &health, &error), &error, "health");
    assert_true(health.bytes_kept != 0 || health.lag_bytes != 0); /* not each source keeps */
    check_unread(&source, names);
    connector->feed->close(feed);

    uint32_t kills = 0;
    for (const char *const *name = connector->failpoints; *name != NULL; name++) {
        if (strstr(*name, "apply") == NULL) {
            continue;
        }
        for (int occurrence = 1; occurrence <= 9; occurrence += 4) {
            kills += follow_and_die(&source.fixture, &target, start.position, *name, occurrence);
            apply_some(&source, 3);
        }
    }
    assert_true(kills >= 2); /* a feed may bring in one set all that was committed */
    follow(&source.fixture, &target, start.position,
           head_of(&source.fixture, source.fixture.arena));
    check_contents(&source.fixture, &source);
    memcpy(target.values, source.values, sizeof target.values);
    check_contents(&target.fixture, &target);
    check_ok(connector->feed->drop(source.fixture.target, "things_feed", &error), &error, "drop");
    check_ok(connector->feed->drop(source.fixture.target, "things_feed", &error), &error, "drop");
    fixture_close(&target.fixture);
    end(&source);
}

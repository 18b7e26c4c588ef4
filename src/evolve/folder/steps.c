#include "evolve/folder/steps.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* One text on its way into steps. */
struct reading {
    const struct migration_text *text;
    enum alter_language language;
    enum sql_language sql;
    struct arena *arena;
    struct plan_faults *faults;
    struct migration_steps *steps;
    uint32_t capacity;
    uint32_t blocks; /* BEGIN so far */
    bool in_block;
    struct sql_place block_place;
};

static void fault(struct reading *reading, const struct sql_place *place, const char *hint,
                  const char *what)
{
    reading->faults->file = reading->text->path;
    plan_fault_at(reading->faults, ERROR_MIGRATION_INVALID, place->line, place->column, hint, "%s",
                  what);
}

static struct migration_step *add_step(struct reading *reading, const char *text, size_t length,
                                       const struct sql_place *place)
{
    struct migration_steps *steps = reading->steps;
    steps->items = arena_make_room(reading->arena, steps->items, steps->count, &reading->capacity,
                                   sizeof(*steps->items));
    struct migration_step *step = &steps->items[steps->count++];
    *step = (struct migration_step){.number = steps->count,
                                    .text = text,
                                    .length = length,
                                    .place = *place,
                                    .block = reading->in_block ? reading->blocks : 0};
    migration_checksum(text, length, step->checksum);
    return step;
}

/* ---------------------------------------------------------------- pieces that are no statements */

static bool begins_with(const struct sql_piece *piece, const char *word)
{
    size_t length = strlen(word);
    return piece->length >= length && strncasecmp(piece->text, word, length) == 0 &&
           (piece->length == length || strchr(" \t\r\n;", piece->text[length]) != NULL);
}

static void take_command(struct reading *reading, const struct sql_piece *piece)
{
    /* Guards of a dump against others' commands: they do nothing to a database. */
    static const char *const ignored[] = {"\\restrict", "\\unrestrict", "DELIMITER", NULL};
    char what[96];
    for (const char *const *word = ignored; *word != NULL; word++) {
        if (begins_with(piece, *word)) {
            return;
        }
    }
    size_t length = 0;
    while (length < piece->length && length < 40 &&
           strchr(" \t\r\n", piece->text[length]) == NULL) {
        length++;
    }
    snprintf(what, sizeof(what), "%.*s is a command of the client, which is not run here",
             (int)length, piece->text);
    fault(reading, &piece->place, "the file is run statement by statement; leave the command out",
          what);
}

static void take_data(struct reading *reading, const struct sql_piece *piece)
{
    struct migration_steps *steps = reading->steps;
    if (steps->count == 0) {
        return;
    }
    struct migration_step *step = &steps->items[steps->count - 1];
    const char *end = piece->text + piece->length;
    step->data = piece->text;
    while (end > piece->text && strchr("\r\n", end[-1]) != NULL) {
        end--;
    }
    if (end - piece->text >= 2 && memcmp(end - 2, "\\.", 2) == 0) {
        end -= 2;
    }
    step->data_length = (size_t)(end - piece->text);
}

/* ---------------------------------------------------------------- transactions of the file */

static void begin_block(struct reading *reading, const struct sql_piece *piece)
{
    struct sql_cursor cursor;
    sql_cursor_of_piece(&cursor, reading->sql, piece);
    sql_advance(&cursor);
    (void)sql_take_one_of(&cursor, "TRANSACTION|WORK|DEFERRED|IMMEDIATE|EXCLUSIVE");
    (void)sql_take_one_of(&cursor, "TRANSACTION|WORK");
    if (!sql_at_end(&cursor)) {
        fault(reading, &piece->place, "write SET TRANSACTION … behind the BEGIN",
              "what BEGIN says of the transaction would be lost");
    }
    if (reading->in_block) {
        fault(reading, &piece->place, NULL, "BEGIN in a transaction that is open");
    }
    reading->in_block = true;
    reading->block_place = piece->place;
    reading->blocks++;
}

/* False: it is a statement within the transaction, such as SAVEPOINT. */
static bool take_transaction(struct reading *reading, const struct sql_piece *piece)
{
    struct sql_cursor cursor;
    sql_cursor_of_piece(&cursor, reading->sql, piece);
    if (sql_at(&cursor, "BEGIN") || sql_at(&cursor, "START")) {
        begin_block(reading, piece);
        return true;
    }
    if (sql_at(&cursor, "COMMIT") || sql_at(&cursor, "END")) {
        if (!reading->in_block && reading->sql != SQL_MYSQL) {
            fault(reading, &piece->place, "leave it out: a file is one transaction by itself",
                  "COMMIT without BEGIN");
        }
        reading->in_block = false;
        return true;
    }
    if (sql_take(&cursor, "ROLLBACK") || sql_take(&cursor, "ABORT")) {
        (void)sql_take_one_of(&cursor, "TRANSACTION|WORK");
        if (sql_at(&cursor, "TO")) {
            return false;
        }
        fault(reading, &piece->place, NULL, "ROLLBACK would take back what the file did");
        return true;
    }
    if (sql_at(&cursor, "XA") || sql_at(&cursor, "PREPARE")) {
        fault(reading, &piece->place, NULL,
              "a prepared transaction would end apart from the history");
        return true;
    }
    return false;
}

/* ---------------------------------------------------------------- statements */

static void take_objects(struct reading *reading, const struct sql_piece *piece,
                         struct migration_step *step)
{
    struct sql_object_name *names = NULL;
    uint32_t count = sql_objects_named(reading->sql, piece, reading->arena, &names);
    struct alter_object *objects =
        arena_allocate_zeroed(reading->arena, 2 * (size_t)count + 1, sizeof(*objects));
    step->temporary = count > 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct sql_object_name *name = &names[i];
        const char *kind = sql_object_kind_name(name->kind);
        step->temporary = step->temporary && name->temporary;
        if (name->name == NULL) {
            continue;
        }
        objects[step->object_count++] =
            (struct alter_object){kind, name->schema, name->name, name->table};
        if (name->new_name != NULL || name->new_schema != NULL) {
            objects[step->object_count++] = (struct alter_object){
                kind, name->new_schema != NULL ? name->new_schema : name->schema,
                name->new_name != NULL ? name->new_name : name->name, name->table};
        }
    }
    step->objects = objects;
}

/* `-- transhume:done-when SELECT …` in front of the statement. */
static const char *find_done_when(const struct sql_piece *piece, struct arena *arena)
{
    static const char mark[] = "transhume:done-when";
    char *comments = arena_copy(arena, piece->comments, (size_t)(piece->text - piece->comments));
    char *found = strstr(comments, mark);
    if (found == NULL) {
        return NULL;
    }
    found += sizeof(mark) - 1;
    found += strspn(found, " \t");
    size_t length = strcspn(found, "\n");
    while (length > 0 && strchr(" \t\r;", found[length - 1]) != NULL) {
        length--;
    }
    found[length] = '\0';
    return length == 0 ? NULL : found;
}

/* LOCK TABLES would keep the session from the history's tables. */
static bool is_table_lock(const struct reading *reading, const struct sql_piece *piece)
{
    struct sql_cursor cursor;
    if (reading->sql != SQL_MYSQL) {
        return false;
    }
    sql_cursor_of_piece(&cursor, reading->sql, piece);
    return sql_at_words(&cursor, "LOCK TABLES") || sql_at_words(&cursor, "LOCK TABLE") ||
           sql_at_words(&cursor, "UNLOCK TABLES") || sql_at_words(&cursor, "UNLOCK TABLE");
}

static void take_statement(struct reading *reading, const struct sql_piece *piece)
{
    enum sql_statement_class class = sql_classify(reading->sql, piece, 0);
    if (is_table_lock(reading, piece)) {
        reading->steps->leaves_out_locks = true;
        return;
    }
    if (class == SQL_CLASS_TRANSACTION && take_transaction(reading, piece)) {
        return;
    }
    struct migration_step *step =
        add_step(reading, piece->run, piece->run_length, &piece->run_place);
    step->class = class;
    step->outside = sql_needs_no_transaction(reading->sql, piece);
    step->done_when = find_done_when(piece, reading->arena);
    if (class == SQL_CLASS_DDL || class == SQL_CLASS_ALONE) {
        take_objects(reading, piece, step);
    }
    if (step->block > 0 && (class == SQL_CLASS_ALONE || step->outside)) {
        fault(reading, &piece->place, "take it out of BEGIN … COMMIT",
              "the statement can't be in a transaction with others");
    }
    reading->steps->changes_session =
        reading->steps->changes_session || (class != SQL_CLASS_DDL && class != SQL_CLASS_ALONE) ||
        step->temporary ||
        memmem(piece->run, piece->run_length, "set_config", strlen("set_config")) != NULL;
}

static void take_piece(struct reading *reading, const struct sql_piece *piece)
{
    if (piece->fault != NULL) {
        fault(reading, &piece->fault_place, NULL, piece->fault);
    }
    switch (piece->kind) {
    case SQL_PIECE_COMMAND:
        take_command(reading, piece);
        break;
    case SQL_PIECE_DATA:
        take_data(reading, piece);
        break;
    default:
        take_statement(reading, piece);
        break;
    }
}

static void read_sql(struct reading *reading)
{
    struct sql_splitter splitter;
    struct sql_piece piece;
    const struct sql_place place = {0, reading->text->line, 1};
    sql_splitter_init(&splitter, reading->sql);
    splitter.lexer.place = place;
    sql_splitter_window(&splitter, reading->text->text, reading->text->length, true);
    while (sql_splitter_next(&splitter, &piece) == STATUS_OK) {
        take_piece(reading, &piece);
    }
    if (reading->in_block) {
        fault(reading, &reading->block_place, "write COMMIT behind its last statement",
              "BEGIN without COMMIT");
    }
}

/* Where in the file a byte of the text is. */
static struct sql_place place_at(const struct reading *reading, const char *at)
{
    struct sql_place place = {(size_t)(at - reading->text->text), reading->text->line, 1};
    for (const char *byte = reading->text->text; byte < at; byte++) {
        place.line += *byte == '\n';
        place.column = *byte == '\n' ? 1 : place.column + (((unsigned char)*byte & 0xC0) != 0x80);
    }
    return place;
}

static void take_part(struct reading *reading, const struct migration_part *part)
{
    const struct sql_place place = place_at(reading, part->text);
    if (part->fault != NULL) {
        fault(reading, &place, NULL, part->fault);
    }
    struct migration_step *step = add_step(reading, part->text, part->length, &place);
    const struct sql_piece piece = {.kind = SQL_PIECE_STATEMENT,
                                    .comments = part->comments,
                                    .text = part->text,
                                    .length = part->length,
                                    .run = part->text,
                                    .run_length = part->length,
                                    .end = part->text + part->length,
                                    .place = place,
                                    .run_place = place};
    step->class = SQL_CLASS_DDL;
    step->done_when = find_done_when(&piece, reading->arena);
    if (reading->language == ALTER_CQL) {
        /* Its words are SQL's, as far as this goes. */
        step->class = sql_classify(SQL_POSTGRES, &piece, 0);
        step->class = step->class == SQL_CLASS_TRANSACTION ? SQL_CLASS_DML : step->class;
        reading->sql = SQL_POSTGRES;
        take_objects(reading, &piece, step);
        step->temporary = false;
    }
}

static bool next_part(enum alter_language language, const char **rest, const char *end,
                      struct migration_part *part)
{
    return language == ALTER_CQL    ? migration_next_cql(rest, end, part)
           : language == ALTER_HTTP ? migration_next_http(rest, end, part)
                                    : migration_next_json(rest, end, part);
}

enum status migration_read_steps(const struct migration_text *text, enum alter_language language,
                                 const struct alter_functions *alter, struct arena *arena,
                                 struct migration_steps *steps, struct plan_faults *faults,
                                 struct error *error)
{
    struct reading reading = {.text = text,
                              .language = language,
                              .sql = alter->sql,
                              .arena = arena,
                              .faults = faults,
                              .steps = steps};
    *steps = (struct migration_steps){0};
    if ((alter->languages & (1u << language)) == 0) {
        faults->file = text->path;
        plan_fault_at(faults, ERROR_MIGRATION_INVALID, 1, 1, NULL,
                      "this database does not understand files of that kind (%s)",
                      migration_ending(language));
    } else if (language == ALTER_SQL) {
        read_sql(&reading);
    } else {
        const char *rest = reading.text->text;
        const char *end = rest + reading.text->length;
        struct migration_part part;
        while (next_part(reading.language, &rest, end, &part)) {
            take_part(&reading, &part);
        }
    }
    migration_cut_segments(&text->options, alter, arena, steps);
    return plan_faults_result(faults, error);
}

static void check_text(const struct migration_text *text, const struct migration *file,
                       const struct alter_functions *alter, struct plan_faults *faults)
{
    struct migration_steps steps;
    const struct migration_options *options = &text->options;
    bool keeps = alter->begin != NULL && (alter->languages & (1u << ALTER_SQL)) != 0;
    if (text->text == NULL) {
        return;
    }
    if (options->image_count > 0 && !keeps) {
        faults->file = options->images[0].file;
        plan_fault_at(faults, ERROR_MIGRATION_INVALID, options->images[0].line, 1, NULL,
                      "before-images are of SQL databases");
    }
    struct arena *arena = arena_create(0);
    (void)!migration_read_steps(text, file->language, alter, arena, &steps, faults, NULL);
    arena_destroy(arena);
}

void migration_check_steps(const struct migration *file, const struct alter_functions *alter,
                           struct plan_faults *faults)
{
    check_text(&file->up, file, alter, faults);
    check_text(&file->down, file, alter, faults);
    check_text(&file->verify, file, alter, faults);
}

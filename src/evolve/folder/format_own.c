/*
 * The project's own layout:
 *
 *   001_users.up.sql        the way there, and
 *   001_users.down.sql      the way back, in two files;
 *   002_email.sql           or in one, under lines `-- migrate:up` and `-- migrate:down`; without
 *                           them all of it is the way there
 *   010_all.baseline.sql    for an empty database, in place of 001 to 010
 *   R_views.sql             repeatable: run again when its text changed
 *   002_email.checks.yaml   checks, beside those of its header
 *
 * In place of .sql there may be .cql, .dynamodb.json, .http, .mongo.json. NAME.up.json and
 * NAME.down.json are commands of MongoDB, too: golang-migrate has them.
 */
#include "base/file.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include "sql/lexer.h"
#include <stdlib.h>
#include <string.h>

enum role { ROLE_WHOLE, ROLE_UP, ROLE_DOWN, ROLE_BASELINE, ROLE_CHECKS };

/* A file's name, taken apart. */
struct file_name {
    const char *name;
    const char *version; /* NULL: repeatable */
    const char *key;
    const char *title;
    enum role role;
    enum alter_language language;
};

static bool ends_with(const char *text, size_t length, const char *ending)
{
    size_t size = strlen(ending);
    return length > size && memcmp(text + length - size, ending, size) == 0;
}

/* The length of the name without its ending; 0: it is no file of a language that is known. */
static size_t take_ending(const char *name, struct file_name *taken)
{
    static const char *const roles[] = {
        [ROLE_UP] = ".up", [ROLE_DOWN] = ".down", [ROLE_BASELINE] = ".baseline"};
    static const char *const of_migrate[] = {[ROLE_UP] = ".up.json", [ROLE_DOWN] = ".down.json"};
    size_t length = strlen(name);
    taken->role = ROLE_WHOLE;
    if (ends_with(name, length, ".checks.yaml")) {
        taken->role = ROLE_CHECKS;
        return length - strlen(".checks.yaml");
    }
    for (int language = 0; language < ALTER_LANGUAGE_COUNT; language++) {
        const char *ending = migration_ending((enum alter_language)language);
        if (!ends_with(name, length, ending)) {
            continue;
        }
        length -= strlen(ending);
        taken->language = (enum alter_language)language;
        for (int role = ROLE_UP; role <= ROLE_BASELINE; role++) {
            if (ends_with(name, length, roles[role])) {
                taken->role = (enum role)role;
                return length - strlen(roles[role]);
            }
        }
        return length;
    }
    for (int role = ROLE_UP; role <= ROLE_DOWN; role++) {
        if (ends_with(name, length, of_migrate[role])) {
            taken->language = ALTER_MONGO;
            taken->role = (enum role)role;
            return length - strlen(of_migrate[role]);
        }
    }
    return 0;
}

/* STATUS_END: a file that is none of ours; STATUS_FAILED: it should be one. */
static enum status take_name(struct migration_reader *reader, const char *name,
                             struct file_name *taken)
{
    *taken = (struct file_name){.name = name};
    size_t length = take_ending(name, taken);
    if (length == 0) {
        return STATUS_END;
    }
    if (strncmp(name, "R_", 2) == 0 && length > 2) {
        taken->title = arena_copy(reader->arena, name + 2, length - 2);
        return taken->role == ROLE_WHOLE || taken->role == ROLE_CHECKS ? STATUS_OK : STATUS_FAILED;
    }
    size_t version = migration_version_length(name);
    if (version == 0 || version > length || (version < length && name[version] != '_')) {
        return STATUS_FAILED;
    }
    taken->version = arena_copy(reader->arena, name, version);
    taken->key = migration_version_key(taken->version, reader->arena);
    taken->title = version == length
                       ? ""
                       : arena_copy(reader->arena, name + version + 1, length - version - 1);
    return STATUS_OK;
}

static void fault(struct migration_reader *reader, const char *name, uint32_t line,
                  const char *hint, const char *what)
{
    foreign_fault(reader, file_join(reader->arena, reader->folder, name), line, hint, what);
}

/* ---------------------------------------------------------------- sections of one file */

struct section {
    bool found;
    bool apart;
    size_t mark;  /* where its line begins */
    size_t begin; /* behind that line */
};

/* Is the line at `at` a mark of a section? */
static bool is_mark(const char *at, size_t length, const char *word, struct section *section)
{
    static const char begin[] = "-- migrate:";
    size_t size = sizeof(begin) - 1;
    size_t word_size = strlen(word);
    if (length < size + word_size || memcmp(at, begin, size) != 0 ||
        memcmp(at + size, word, word_size) != 0) {
        return false;
    }
    const char *rest = at + size + word_size;
    size_t left = length - size - word_size;
    if (left > 0 && strchr(" \t\r", *rest) == NULL) {
        return false;
    }
    section->apart = memmem(rest, left, "transaction:false", strlen("transaction:false")) != NULL;
    return true;
}

static void find_sections(const struct migration_text *whole, struct section *up,
                          struct section *down, bool *twice)
{
    const char *end = whole->text + whole->length;
    for (const char *at = whole->text; at < end;) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        const char *stop = next == NULL ? end : next;
        struct section section = {.found = true,
                                  .mark = (size_t)(at - whole->text),
                                  .begin = (size_t)((next == NULL ? end : next + 1) - whole->text)};
        if (is_mark(at, (size_t)(stop - at), "up", &section)) {
            *twice = *twice || up->found;
            *up = section;
        } else if (is_mark(at, (size_t)(stop - at), "down", &section)) {
            *twice = *twice || down->found;
            *down = section;
        }
        at = next == NULL ? end : next + 1;
    }
}

/* Does anything but comments and blanks stand there? */
static bool has_code(const char *text, size_t length)
{
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, SQL_POSTGRES, text, length, NULL);
    return sql_lexer_next_code(&lexer).kind != SQL_TOKEN_END;
}

static void cut_sections(struct migration_reader *reader, const struct file_name *file,
                         const struct migration_text *whole, struct migration *item)
{
    struct section up = {0};
    struct section down = {0};
    bool twice = false;
    find_sections(whole, &up, &down, &twice);
    if (!up.found && !down.found) {
        struct migration_options options = item->up.options;
        item->up = *whole;
        item->up.options = options;
    } else if (!up.found || twice || (down.found && down.mark < up.mark)) {
        fault(reader, file->name, 1, NULL,
              twice ? "more than one `-- migrate:up` or `-- migrate:down` stands in it"
                    : "`-- migrate:up` stands first, and `-- migrate:down` behind it");
        return;
    } else {
        size_t end = down.found ? down.mark : whole->length;
        if (has_code(whole->text, up.mark)) {
            fault(reader, file->name, 1, "put it behind that line",
                  "SQL in front of `-- migrate:up` is in no section");
        }
        migration_cut(whole, up.begin, end - up.begin, &item->up);
        item->up.options.apart = up.apart;
        migration_read_header(reader, file->language, whole->text, up.mark, 1, &item->up);
        if (down.found) {
            migration_cut(whole, down.begin, whole->length - down.begin, &item->down);
            item->down.options.apart = down.apart;
        }
    }
}

/* ---------------------------------------------------------------- files */

static enum status take_file(struct migration_reader *reader, const struct file_name *file,
                             struct migration *item, struct error *error)
{
    if (file->role == ROLE_CHECKS) {
        return migration_read_checks(reader, file->name, &item->up, error);
    }
    struct migration_text *text = file->role == ROLE_DOWN ? &item->down : &item->up;
    if (text->path != NULL) {
        fault(reader, file->name, 1, NULL, "another file of this version is the same way");
        return STATUS_OK;
    }
    item->language = file->language;
    if (file->role != ROLE_WHOLE) {
        return migration_load(reader, file->name, text, error);
    }
    struct migration_text whole = {0};
    enum status status = migration_load(reader, file->name, &whole, error);
    if (status == STATUS_OK && whole.text != NULL) {
        cut_sections(reader, file, &whole, item);
    }
    item->up.path = whole.path;
    return status;
}

/* Directives of what was read; the header of a file in one part is also that of its first section.
 */
static void read_headers(struct migration_reader *reader, struct migration *item)
{
    struct migration_text *texts[] = {&item->up, &item->down};
    for (size_t i = 0; i < 2; i++) {
        if (texts[i]->text != NULL) {
            migration_read_header(reader, item->language, texts[i]->text, texts[i]->length,
                                  texts[i]->line, texts[i]);
        }
    }
}

static int compare_files(const void *left, const void *right)
{
    const struct file_name *a = left;
    const struct file_name *b = right;
    bool repeats = a->key == NULL;
    if (repeats != (b->key == NULL)) {
        return repeats ? 1 : -1;
    }
    int order = repeats ? 0 : strcmp(a->key, b->key);
    order = order != 0 ? order : strcmp(a->title, b->title);
    order = order != 0 ? order : (b->role == ROLE_BASELINE) - (a->role == ROLE_BASELINE);
    return order != 0 ? order : (int)a->role - (int)b->role;
}

static bool is_same_item(const struct file_name *a, const struct file_name *b)
{
    if ((a->key == NULL) != (b->key == NULL) || strcmp(a->title, b->title) != 0) {
        return false;
    }
    return (a->key == NULL || strcmp(a->key, b->key) == 0) &&
           (a->role == ROLE_BASELINE) == (b->role == ROLE_BASELINE);
}

static enum status take_item(struct migration_reader *reader, const struct file_name *files,
                             size_t count, struct error *error)
{
    struct migration *item = migration_add(reader);
    enum status status = STATUS_OK;
    item->kind = files->key == NULL             ? MIGRATION_REPEATABLE
                 : files->role == ROLE_BASELINE ? MIGRATION_BASELINE
                                                : MIGRATION_VERSIONED;
    item->version = files->version;
    item->key = files->key;
    item->name = files->title;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = take_file(reader, &files[i], item, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (item->up.path == NULL) {
        fault(reader, files->name, 1, NULL,
              files->role == ROLE_CHECKS ? "the migration that it has checks for is not there"
                                         : "the way back is there, but not the way there");
    }
    if (item->kind == MIGRATION_BASELINE && item->down.path != NULL) {
        fault(reader, files->name, 1, NULL, "a baseline has no way back");
    }
    read_headers(reader, item);
    return STATUS_OK;
}

static enum status read_own(struct migration_reader *reader, struct error *error)
{
    struct file_name *files =
        arena_allocate_zeroed(reader->arena, reader->name_count + 1, sizeof(*files));
    size_t count = 0;
    for (uint32_t i = 0; i < reader->name_count; i++) {
        enum status status = take_name(reader, reader->names[i], &files[count]);
        if (status == STATUS_FAILED) {
            fault(reader, reader->names[i], 1,
                  "a name is 001_what.up.sql, 001_what.down.sql, 001_what.sql, "
                  "001_what.baseline.sql or R_what.sql; other files belong elsewhere",
                  "its name has no version");
        }
        count += status == STATUS_OK;
    }
    qsort(files, count, sizeof(*files), compare_files);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && is_same_item(&files[i], &files[end])) {
            end++;
        }
        if (take_item(reader, &files[i], end - i, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        i = end;
    }
    return STATUS_OK;
}

enum status migration_read_file(const char *path, bool only_looks, struct arena *arena,
                                struct migration *item, struct plan_faults *faults,
                                struct error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    struct migration_reader reader = {
        .folder = slash == NULL   ? "."
                  : slash == path ? "/"
                                  : arena_copy(arena, path, (size_t)(slash - path)),
        .only_looks = only_looks,
        .arena = arena,
        .faults = faults};
    struct file_name file = {.name = name};
    struct migration *made = migration_add(&reader);
    (void)take_ending(name, &file);
    enum role role = file.role;
    file.role = role == ROLE_CHECKS || role == ROLE_BASELINE ? ROLE_WHOLE : role;
    enum status status = take_file(&reader, &file, made, error);
    if (status == STATUS_OK) {
        made->up.path = made->up.path != NULL ? path : NULL;
        made->down.path = made->down.path != NULL ? path : NULL;
        read_headers(&reader, made);
        *item = *made;
    }
    return status == STATUS_OK ? plan_faults_result(faults, error) : status;
}

static bool recognise_own(const struct migration_reader *reader)
{
    (void)reader;
    return true;
}

const struct migration_format migration_format_own = {
    .name = "transhume", .title = "transhume", .recognises = recognise_own, .read = read_own};

/* Tools whose layouts this one holds. */
static bool recognise_never(const struct migration_reader *reader)
{
    (void)reader;
    return false;
}

const struct migration_format migration_format_dbmate = {
    .name = "dbmate", .title = "dbmate", .recognises = recognise_never, .read = read_own};
const struct migration_format migration_format_migrate = {.name = "golang-migrate",
                                                          .title = "golang-migrate",
                                                          .recognises = recognise_never,
                                                          .read = read_own};

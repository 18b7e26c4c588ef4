/* The rights to files and folders that an account lacks. */
#include "connectors/common/rights_files.h"

#include "base/file.h"
#include <errno.h>
#include <fts.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GROUPS_MAX = 256, NAMES_BYTES = 4096 };

struct person {
    const char *name;
    bool known;
    uid_t user;
    gid_t groups[GROUPS_MAX];
    int group_count;
};

static void find_person(const char *account, struct person *person)
{
    char names[NAMES_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    *person = (struct person){.name = account};
    if (getpwnam_r(account, &entry, names, sizeof names, &found) != 0 || found == NULL) {
        return;
    }
    person->known = true;
    person->user = found->pw_uid;
    person->group_count = GROUPS_MAX;
    if (getgrouplist(account, found->pw_gid, person->groups, &person->group_count) < 0) {
        person->group_count = GROUPS_MAX; /* as many as there is room for */
    }
}

static bool is_of_group(const struct person *person, gid_t group)
{
    for (int at = 0; at < person->group_count; at++) {
        if (person->groups[at] == group) {
            return true;
        }
    }
    return false;
}

/* By the one class of the mode that counts. */
static bool may(const struct person *person, const struct stat *facts, int needed)
{
    mode_t bits = facts->st_mode;
    if (person->known && person->user == 0) {
        return true;
    }
    if (person->known && facts->st_uid == person->user) {
        bits >>= 6;
    } else if (person->known && is_of_group(person, facts->st_gid)) {
        bits >>= 3;
    }
    return ((int)bits & needed) == needed;
}

/* As a shell takes it for one word. */
static void append_word(const char *text, struct buffer *out)
{
    buffer_append_byte(out, '\'');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\'') {
            buffer_append_string(out, "'\\''");
        } else {
            buffer_append_byte(out, *at);
        }
    }
    buffer_append_byte(out, '\'');
}

/* `permissions` as "r-x" or "rX". */
static void add_command(struct rights_list *list, enum rights_use use, const struct person *person,
                        const char *options, const char *permissions, const char *path)
{
    struct buffer line = {0};
    char *entry = arena_format(list->arena, "u:%s:%s", person->name, permissions);
    bool plain =
        strspn(entry, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:") ==
        strlen(entry);
    buffer_format(&line, "setfacl %s-m ", options);
    if (plain) {
        buffer_append_string(&line, entry);
    } else {
        append_word(entry, &line);
    }
    buffer_append_string(&line, " -- ");
    append_word(path, &line);
    rights_add(list, use, &line);
    buffer_free(&line);
}

static void add_missing(struct rights_list *list, enum rights_use use, const struct person *person,
                        const char *path, int needed)
{
    struct stat facts;
    if (stat(path, &facts) == 0 && !may(person, &facts, needed)) {
        const char permissions[] = {(needed & FILE_READ) != 0 ? 'r' : '-',
                                    (needed & FILE_WRITE) != 0 ? 'w' : '-',
                                    (needed & FILE_SEARCH) != 0 ? 'x' : '-', '\0'};
        add_command(list, use, person, "", permissions, path);
    }
}

/* The path without links, or of what is not there yet that of its folder and the name. */
static char *find_real(struct arena *arena, const char *path)
{
    char *made = NULL;
    char *real = realpath(path, NULL);
    if (real == NULL && errno == ENOENT) {
        const char *slash = strrchr(path, '/');
        const char *name = slash != NULL ? slash + 1 : path;
        const char *folder = slash == NULL   ? "."
                             : slash == path ? "/"
                                             : arena_copy(arena, path, (size_t)(slash - path));
        real = realpath(folder, NULL);
        made = real != NULL ? file_join(arena, real, name) : NULL;
    } else if (real != NULL) {
        made = arena_copy_string(arena, real);
    }
    free(real);
    return made != NULL ? made : arena_copy_string(arena, path);
}

/* The folders above, from the root down. */
static void add_above(struct rights_list *list, enum rights_use use, const struct person *person,
                      const char *real)
{
    for (const char *at = strchr(real, '/'); at != NULL; at = strchr(at + 1, '/')) {
        const char *above = at == real ? "/" : arena_copy(list->arena, real, (size_t)(at - real));
        if (at[1] != '\0') {
            add_missing(list, use, person, above, FILE_SEARCH);
        }
    }
}

void rights_add_file(struct rights_list *list, enum rights_use use, const char *account,
                     const char *path, int needed)
{
    struct person person;
    const char *real = find_real(list->arena, path);
    find_person(account, &person);
    add_above(list, use, &person, real);
    add_missing(list, use, &person, real, needed);
}

/* Is there anything in it that the account may not use? */
static bool lacks_any(const struct person *person, char *path, int needed)
{
    char *const paths[] = {path, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry = NULL;
    bool lacks = walk == NULL;
    while (!lacks && (entry = fts_read(walk)) != NULL) {
        bool folder = entry->fts_info == FTS_D;
        lacks = (folder || entry->fts_info == FTS_F) &&
                !may(person, entry->fts_statp, needed | (folder ? FILE_SEARCH : 0));
    }
    if (walk != NULL) {
        fts_close(walk);
    }
    return lacks;
}

void rights_add_tree(struct rights_list *list, enum rights_use use, const char *account,
                     const char *path, bool writes)
{
    struct person person;
    struct stat facts;
    char *real = find_real(list->arena, path);
    find_person(account, &person);
    add_above(list, use, &person, real);
    if (stat(real, &facts) == 0 && !S_ISDIR(facts.st_mode)) {
        add_missing(list, use, &person, real, FILE_READ | (writes ? FILE_WRITE : 0));
    } else if (lacks_any(&person, real, FILE_READ | (writes ? FILE_WRITE : 0))) {
        add_command(list, use, &person, "-R ", writes ? "rwX" : "rX", real);
    }
}

void rights_add_new_folder(struct rights_list *list, enum rights_use use, const char *account,
                           const char *path)
{
    struct person person;
    struct buffer line = {0};
    const char *real = find_real(list->arena, path);
    find_person(account, &person);
    add_above(list, use, &person, real);
    buffer_append_string(&line, "install -d -m 700 -o ");
    append_word(account, &line);
    buffer_append_string(&line, " -- ");
    append_word(real, &line);
    rights_add(list, use, &line);
    buffer_free(&line);
}

void rights_add_folder_of(struct rights_list *list, enum rights_use use, const char *account,
                          const char *path)
{
    const char *real = find_real(list->arena, path);
    const char *slash = strrchr(real, '/');
    const char *folder = slash == NULL || slash == real
                             ? "/"
                             : arena_copy(list->arena, real, (size_t)(slash - real));
    rights_add_file(list, use, account, folder, FILE_READ | FILE_WRITE | FILE_SEARCH);
}

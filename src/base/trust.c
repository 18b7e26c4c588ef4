#include "base/trust.h"

#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 16384 };

static struct trust trusted;

void trust_set(const struct trust *said)
{
    trusted = *said;
}

bool trust_takes_files(void)
{
    return trusted.files;
}

bool trust_allows_commands(void)
{
    return trusted.commands;
}

bool trust_allows_plaintext(void)
{
    return trusted.plaintext;
}

/* ---------------------------------------------------------------- owners and modes */

static bool is_own(uid_t user)
{
    return user == geteuid() || user == 0;
}

/* Its name is the user's, and it has no other member: then the user alone is in it. A user that the
 * system has no name for, as in a container, has none but the group of the same number. Root's
 * group is root's. */
static bool is_private_group(gid_t group, uid_t user)
{
    char user_bytes[NAME_BYTES_MAX];
    char group_bytes[NAME_BYTES_MAX];
    struct passwd user_entry;
    struct passwd *found_user = NULL;
    struct group group_entry;
    struct group *found_group = NULL;
    if (group == 0) {
        return true;
    }
    (void)getpwuid_r(user, &user_entry, user_bytes, sizeof user_bytes, &found_user);
    (void)getgrgid_r(group, &group_entry, group_bytes, sizeof group_bytes, &found_group);
    if (found_user == NULL || found_group == NULL) {
        return found_user == NULL && found_group == NULL && group == user;
    }
    bool alone = true;
    for (char **member = found_group->gr_mem; *member != NULL; member++) {
        alone = alone && strcmp(*member, found_user->pw_name) == 0;
    }
    return alone && strcmp(found_group->gr_name, found_user->pw_name) == 0;
}

static enum status file_refuse(const char *path, const char *why, const char *how,
                               struct error *error)
{
    error_set(error, ERROR_FILE_UNTRUSTED, path, "%s", why);
    return error_hint(error, "%s, or --trust-files if you know who may write it", how);
}

static enum status check_owner(const struct stat *facts, const char *path, struct error *error)
{
    return is_own(facts->st_uid)
               ? STATUS_OK
               : file_refuse(path, "it belongs to another user, who could say what this run does",
                             "copy it to a file of your own", error);
}

/* A terminal and a pipe have modes that say nothing of who wrote what is in them. */
static enum status check_mode(const struct stat *facts, const char *path, struct error *error)
{
    if (!S_ISREG(facts->st_mode) && !S_ISDIR(facts->st_mode)) {
        return STATUS_OK;
    }
    if ((facts->st_mode & S_IWOTH) != 0) {
        return file_refuse(path, "everybody may write it, and so say what this run does",
                           "chmod o-w it", error);
    }
    if ((facts->st_mode & S_IWGRP) != 0 && !is_private_group(facts->st_gid, facts->st_uid)) {
        return file_refuse(path,
                           "a group of several users may write it, and so say what this run does",
                           "chmod g-w it", error);
    }
    return STATUS_OK;
}

/* Where everybody may write, whoever does so may put another file in this one's place; but for
 * folders as /tmp, where files are their owners'. */
static enum status check_parent(const char *path, struct error *error)
{
    struct stat facts;
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    char *folder = length == 0 ? memory_copy_string(".") : memory_copy_bytes(path, length);
    bool open = stat(folder, &facts) == 0 && (facts.st_mode & S_IWOTH) != 0 &&
                (facts.st_mode & S_ISVTX) == 0;
    free(folder);
    return open ? file_refuse(path,
                              "everybody may write the folder that it is in, and so replace it",
                              "move it to a folder of your own", error)
                : STATUS_OK;
}

static enum status check_link(const char *path, struct error *error)
{
    struct stat facts;
    return lstat(path, &facts) != 0 || !S_ISLNK(facts.st_mode) ? STATUS_OK
                                                               : check_owner(&facts, path, error);
}

static enum status check_all(const struct stat *facts, const char *path, struct error *error)
{
    return check_owner(facts, path, error) == STATUS_OK &&
                   check_mode(facts, path, error) == STATUS_OK &&
                   check_link(path, error) == STATUS_OK && check_parent(path, error) == STATUS_OK
               ? STATUS_OK
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- files and folders */

enum status trust_read_file(const char *path, size_t limit_bytes, struct arena *arena, char **bytes,
                            size_t *length, struct error *error)
{
    struct stat facts;
    int descriptor = file_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
    if (descriptor < 0) {
        return errno == ENOENT ? STATUS_END
                               : error_set_errno(error, ERROR_STATE_INVALID, errno, path,
                                                 "can't open the file");
    }
    enum status status = STATUS_OK;
    if (!trusted.files && fstat(descriptor, &facts) == 0) {
        status = check_all(&facts, path, error);
    }
    if (status == STATUS_OK) {
        status = file_read_open(descriptor, path, limit_bytes, arena, bytes, length, error);
    }
    close(descriptor);
    return status;
}

enum status trust_recode(struct error *error, enum error_code code)
{
    return error->code == ERROR_FILE_UNTRUSTED ? STATUS_FAILED : error_recode(error, code);
}

enum status trust_check_folder(const char *path, struct error *error)
{
    struct stat facts;
    return trusted.files || stat(path, &facts) != 0 ? STATUS_OK : check_all(&facts, path, error);
}

/* ---------------------------------------------------------------- URIs */

struct noted_uri {
    struct noted_uri *next;
    size_t length;
    char text[];
};
static struct {
    pthread_mutex_t lock;
    struct noted_uri *first;
} noted = {.lock = PTHREAD_MUTEX_INITIALIZER};

void trust_note_uri(const char *uri)
{
    size_t length = strlen(uri);
    if (trust_is_noted_uri(uri)) {
        return;
    }
    struct noted_uri *made = memory_allocate(sizeof *made + length + 1);
    made->length = length;
    memcpy(made->text, uri, length + 1);
    pthread_mutex_lock(&noted.lock);
    made->next = noted.first;
    noted.first = made;
    pthread_mutex_unlock(&noted.lock);
}

bool trust_is_noted_uri(const char *uri)
{
    bool found = false;
    pthread_mutex_lock(&noted.lock);
    for (const struct noted_uri *at = noted.first; at != NULL && !found; at = at->next) {
        found = strncmp(uri, at->text, at->length) == 0 &&
                (uri[at->length] == '\0' || uri[at->length] == '?' || uri[at->length] == '&');
    }
    pthread_mutex_unlock(&noted.lock);
    return found;
}

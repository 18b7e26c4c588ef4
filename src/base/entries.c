/* opendir, readdir and closedir, with nothing left unlooked at. */
#include "base/entries.h"

#include <errno.h>
#include <string.h>

static enum status cant_list(const struct entries *entries, int reason, struct error *error)
{
    return error_set_errno(error, entries->code, reason, entries->path, "can't list the folder");
}

enum status entries_open(struct entries *entries, const char *path, enum error_code code,
                         struct error *error)
{
    *entries = (struct entries){.stream = opendir(path), .path = path, .code = code};
    if (entries->stream != NULL) {
        return STATUS_OK;
    }
    return errno == ENOENT ? STATUS_END : cant_list(entries, errno, error);
}

enum status entries_next(struct entries *entries, const char **name, struct error *error)
{
    struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(entries->stream);
        if (entry == NULL) {
            return errno == 0 ? STATUS_END : cant_list(entries, errno, error);
        }
    } while (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    *name = entry->d_name;
    return STATUS_OK;
}

void entries_close(struct entries *entries)
{
    closedir(entries->stream);
}

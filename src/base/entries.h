/* What is in a folder, name by name. A folder that can't be read is an error, never one that ends
 * early. */
#ifndef TRANSHUME_BASE_ENTRIES_H
#define TRANSHUME_BASE_ENTRIES_H

#include "base/error.h"
#include <dirent.h>

struct entries {
    DIR *stream;
    const char *path; /* borrowed */
    enum error_code code;
};

/* What fails, here and later, is `code`, or what error_set_errno makes of it. STATUS_END: there is
 * no such folder. Only after STATUS_OK is there anything to be closed. */
enum status entries_open(struct entries *entries, const char *path, enum error_code code,
                         struct error *error) MUST_USE;
/* The next one but "." and "..", in no order; STATUS_END: there is none. The name is good until the
 * next call. */
enum status entries_next(struct entries *entries, const char **name, struct error *error) MUST_USE;
void entries_close(struct entries *entries);

#endif

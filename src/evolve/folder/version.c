#include "evolve/folder/version.h"

#include "base/buffer.h"
#include <string.h>

static const char digits[] = "0123456789";

size_t migration_version_length(const char *name)
{
    size_t length = strspn(name, digits);
    while (length > 0 && name[length] == '.') {
        size_t more = strspn(name + length + 1, digits);
        if (more == 0) {
            break;
        }
        length += 1 + more;
    }
    return length;
}

const char *migration_version_key(const char *version, struct arena *arena)
{
    struct buffer key = {0};
    if (version[0] == '\0' || migration_version_length(version) != strlen(version)) {
        return arena_format(arena, "~%s", version);
    }
    while (*version != '\0') {
        version += strspn(version, "0");
        size_t length = strspn(version, digits);
        buffer_format(&key, "%05zu%.*s.", length, (int)length, version);
        version += length;
        version += *version == '.';
    }
    const char *kept = arena_copy_string(arena, buffer_string(&key));
    buffer_free(&key);
    return kept;
}

bool migration_version_is_number(const char *key)
{
    return key[0] != '~';
}

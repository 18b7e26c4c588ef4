/* Names in the keys of a store. */
#include "connectors/common/store_key.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum { NAME_BYTES_MAX = 150, NAME_BEGINNING_BYTES = 100 };

static bool is_plain(unsigned char byte)
{
    return isalnum(byte) || byte == '.' || byte == '_' || byte == '-';
}

static size_t append_escaped(char *out, size_t capacity, const char *name, size_t length)
{
    size_t used = 0;
    for (size_t i = 0; i < length && used + 4 <= capacity; i++) {
        unsigned char byte = (unsigned char)name[i];
        if (is_plain(byte)) {
            out[used++] = (char)byte;
        } else {
            used += (size_t)snprintf(out + used, capacity - used, "%%%02X", byte);
        }
    }
    out[used] = '\0';
    return used;
}

void store_name_key(char key[STORE_KEY_BYTES], const char *prefix, const char *name)
{
    char escaped[NAME_BYTES_MAX * 3 + 1];
    size_t length = strlen(name);
    size_t clipped = length < NAME_BYTES_MAX ? length : NAME_BYTES_MAX;
    size_t used = append_escaped(escaped, sizeof(escaped), name, clipped);
    if (used <= NAME_BYTES_MAX && clipped == length) {
        snprintf(key, STORE_KEY_BYTES, "%s%s", prefix, escaped);
        return;
    }
    XXH128_hash_t hash = XXH3_128bits(name, length);
    snprintf(key, STORE_KEY_BYTES, "%s%.*s-%016" PRIx64 "%016" PRIx64, prefix, NAME_BEGINNING_BYTES,
             escaped, (uint64_t)hash.high64, (uint64_t)hash.low64);
}

void store_note_key(char key[STORE_KEY_BYTES], const char *run_id, const char *kind,
                    const char *name)
{
    char prefix[STORE_KEY_BYTES];
    store_name_key(prefix, "run/", run_id);
    size_t used = strlen(prefix);
    snprintf(prefix + used, sizeof(prefix) - used, "/note/%s/", kind);
    store_name_key(key, prefix, name);
}

size_t store_key_place_length(const char *key)
{
    const char *end = strchr(key, '/');
    if (end != NULL && strncmp(key, "run/", 4) == 0) {
        const char *next = strchr(end + 1, '/');
        end = next != NULL ? next : key + strlen(key);
    }
    return end != NULL ? (size_t)(end - key) : strlen(key);
}

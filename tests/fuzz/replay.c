/* Gives a fuzz target inputs that were kept: files, and all files of folders. No clang is needed.
 */
#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_BYTES_MAX = 16 << 20 };

static unsigned long inputs;

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *bytes = malloc(INPUT_BYTES_MAX);
    if (file == NULL || bytes == NULL) {
        fprintf(stderr, "%s can't be read\n", path);
        exit(2);
    }
    size_t length = fread(bytes, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    /* The exact size, so that a sanitizer sees each byte read beyond it. */
    uint8_t *exact = malloc(length > 0 ? length : 1);
    if (exact == NULL) {
        exit(2);
    }
    memcpy(exact, bytes, length);
    free(bytes);
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(exact, length);
    free(exact);
    inputs++;
}

static void replay(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        struct dirent **entries = NULL;
        int count = scandir(path, &entries, NULL, alphasort);
        for (int at = 0; at < count; at++) {
            char child[4096];
            snprintf(child, sizeof child, "%s/%s", path, entries[at]->d_name);
            if (entries[at]->d_name[0] != '.') {
                replay_file(child);
            }
            free(entries[at]);
        }
        free(entries);
    } else {
        replay_file(path);
    }
}

int main(int count, char **arguments)
{
    for (int at = 1; at < count; at++) {
        replay(arguments[at]);
    }
    printf("%lu inputs\n", inputs);
    return inputs > 0 ? 0 : 1;
}

/* The shared index of a WAL: where its head is, and what it says. */
#include "base/clock.h"
#include "connectors/sqlite/source.h"
#include <string.h>

enum { WAL_INDEX_VERSION = 3007000, WAL_INDEX_REGION = 32768 };

bool wal_version_read(const volatile uint32_t *wal_index, struct wal_version *version)
{
    uint32_t copies[2][12];

    for (int attempt = 0; wal_index != NULL && attempt < 100; attempt++) {
        for (int i = 0; i < 12; i++) {
            copies[0][i] = wal_index[i];
        }
        __sync_synchronize();
        for (int i = 0; i < 12; i++) {
            copies[1][i] = wal_index[12 + i];
        }
        if (memcmp(copies[0], copies[1], sizeof copies[0]) == 0 &&
            copies[0][0] == WAL_INDEX_VERSION) {
            *version = (struct wal_version){
                .frames = copies[0][4],
                .pages = copies[0][5],
                .checksum = {copies[0][6], copies[0][7]},
                .salt = {copies[0][8], copies[0][9]},
            };
            return true;
        }
        clock_sleep_ms(1);
    }
    return false;
}

const volatile uint32_t *wal_index_map(sqlite3 *connection)
{
    sqlite3_file *file = NULL;
    void volatile *region = NULL;

    sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (file == NULL || file->pMethods == NULL || file->pMethods->iVersion < 2 ||
        file->pMethods->xShmMap == NULL) {
        return NULL;
    }
    int result = file->pMethods->xShmMap(file, 0, WAL_INDEX_REGION, 0, &region);
    return result == SQLITE_OK || result == SQLITE_READONLY ? region : NULL;
}

/* Servers that contract tests start for themselves, on the loopback, and that die with them. */
#include "contract.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_TRIES = 1000, READY_STEP_US = 10000 };

static int loopback_socket(struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int free_port(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int probe = loopback_socket(&address);
    assert_int_equal(bind(probe, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(probe, (struct sockaddr *)&address, &length), 0);
    close(probe);
    return ntohs(address.sin_port);
}

static bool answers(int port)
{
    struct sockaddr_in address;
    int probe = loopback_socket(&address);
    address.sin_port = htons((uint16_t)port);
    bool connected = connect(probe, (struct sockaddr *)&address, sizeof address) == 0;
    close(probe);
    return connected;
}

/* A file of a package in the cache of tests/servers; only one that is complete counts. */
static bool find_cached(const char *package, const char *file, char path[512])
{
    const char *cache = getenv("SERVERS_CACHE");
    const char *home = getenv("HOME");
    const char *xdg = getenv("XDG_CACHE_HOME");
    char pattern[512];
    glob_t found;
    if (cache) {
        snprintf(pattern, sizeof pattern, "%s/%s-*", cache, package);
    } else if (xdg) {
        snprintf(pattern, sizeof pattern, "%s/transhume-servers/%s-*", xdg, package);
    } else {
        snprintf(pattern, sizeof pattern, "%s/.cache/transhume-servers/%s-*", home ? home : "",
                 package);
    }
    bool any = false;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && !any; i++) {
            snprintf(path, 512, "%s/.complete", found.gl_pathv[i]);
            any = access(path, F_OK) == 0;
            snprintf(path, 512, "%s/%s", found.gl_pathv[i], file);
            any = any && access(path, R_OK) == 0;
        }
        globfree(&found);
    }
    return any;
}

bool library_duckdb(const char **reason)
{
    const char *allowed = getenv("TRANSHUME_SERVERS");
    char path[512];
    if (getenv("TRANSHUME_DUCKDB") != NULL) {
        return true;
    }
    if ((allowed && strcmp(allowed, "none") == 0) ||
        !find_cached("libduckdb", "node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so",
                     path)) {
        *reason = "no libduckdb in the cache of test servers (`make servers` fetches it)";
        return false;
    }
    setenv("TRANSHUME_DUCKDB", path, 1);
    return true;
}

static void be_silent_and_die_with_the_test(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
}

static void become_dynoxide(const char *path, int port, const char *folder)
{
    (void)folder;
    char text[16];
    snprintf(text, sizeof text, "%d", port);
    be_silent_and_die_with_the_test();
    execl(path, path, "--host", "127.0.0.1", "--port", text, (char *)NULL);
    _exit(127);
}

/* A gateway to a folder of its own, in which a folder is a bucket. */
static void become_versitygw(const char *path, int port, const char *folder)
{
    char text[32];
    char users[512];
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    snprintf(users, sizeof users, "%s/users", folder);
    be_silent_and_die_with_the_test();
    if (chdir(folder) != 0 || mkdir("data", 0700) != 0 || mkdir("data/contract", 0700) != 0 ||
        mkdir("users", 0700) != 0) {
        _exit(127);
    }
    execl(path, path, "--port", text, "--region", "us-east-1", "--quiet", "--iam-dir", users,
          "posix", "data", (char *)NULL);
    _exit(127);
}

static pid_t start(const char *name, void (*become)(const char *path, int port, const char *folder),
                   const char *folder, char address[64], const char **reason)
{
    const char *allowed = getenv("TRANSHUME_SERVERS");
    static char why[128];
    char path[512];
    char file[64];
    snprintf(file, sizeof file, "bin/%s", name);
    if ((allowed && strcmp(allowed, "none") == 0) || !find_cached(name, file, path)) {
        snprintf(why, sizeof why, "no %s in the cache of test servers (`make servers` builds it)",
                 name);
        *reason = why;
        return 0;
    }
    setenv("AWS_ACCESS_KEY_ID", "AKIDTEST00000000TEST", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "test/secret/key/of/no/account/at/all0000", 1);
    setenv("ROOT_ACCESS_KEY", "AKIDTEST00000000TEST", 1);
    setenv("ROOT_SECRET_KEY", "test/secret/key/of/no/account/at/all0000", 1);
    setenv("AWS_CONFIG_FILE", "/nonexistent", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1);
    unsetenv("AWS_PROFILE");
    unsetenv("AWS_SESSION_TOKEN");
    int port = free_port();
    fflush(NULL);
    pid_t server = fork();
    if (server == 0) {
        become(path, port, folder);
    }
    for (int i = 0; i < READY_TRIES; i++) {
        if (answers(port)) {
            snprintf(address, 64, "127.0.0.1:%d", port);
            return server;
        }
        assert_int_equal(waitpid(server, NULL, WNOHANG), 0);
        usleep(READY_STEP_US);
    }
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    fail_msg("%s did not answer within 10 s", name);
    return 0;
}

pid_t server_dynoxide(const char *folder, char address[64], const char **reason)
{
    return start("dynoxide", become_dynoxide, folder, address, reason);
}

pid_t server_versitygw(const char *folder, char address[64], const char **reason)
{
    return start("versitygw", become_versitygw, folder, address, reason);
}

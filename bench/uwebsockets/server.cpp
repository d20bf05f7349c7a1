// A server process on uWebSockets: one task on one core, until its standard input ends.
//
// server echo|handshake|broadcast plain|deflate CORE BURST
//
// What is not set here is uWebSockets' own default; what is follows its examples EchoServer and
// BroadcastingEchoServer.

#include "App.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string_view>
#include <unistd.h>

namespace {

// Nothing is kept for a connection.
struct Nothing {};

using Behavior = uWS::App::WebSocketBehavior<Nothing>;

constexpr const char *TOPIC = "all";

[[noreturn]] void fail(const char *why) {
    std::perror(why);
    std::exit(1);
}

[[noreturn]] void usage() {
    std::fputs("usage: server echo|handshake|broadcast plain|deflate CORE BURST\n", stderr);
    std::exit(2);
}

void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set)) {
        fail("pinning to a core");
    }
}

// By a signal, not by a thread that reads: in a process of two threads the allocator would take locks.
void end_with_the_standard_input() {
    std::signal(SIGIO, [](int) {
        pollfd input{STDIN_FILENO, POLLIN, 0};
        if (poll(&input, 1, 0) > 0) {
            _exit(0);
        }
    });
    if (fcntl(STDIN_FILENO, F_SETOWN, getpid()) || fcntl(STDIN_FILENO, F_SETFL, O_ASYNC)) {
        fail("watching the standard input");
    }
    // It may have ended before.
    std::raise(SIGIO);
}

Behavior echo(bool deflate) {
    Behavior behavior;
    behavior.message = [deflate](auto *socket, std::string_view message, uWS::OpCode opcode) {
        socket->send(message, opcode, deflate);
    };
    if (!deflate) {
        return behavior;
    }
    // Streams that all connections share, so without takeover: level 6, windows of 15 bits.
    behavior.compression = uWS::CompressOptions(uWS::SHARED_COMPRESSOR | uWS::SHARED_DECOMPRESSOR);
    // The load offers no extension, for every server here is told what has been agreed on. uWebSockets learns
    // that from an offer only.
    behavior.upgrade = [](auto *response, auto *request, auto *context) {
        constexpr const char *OFFER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        response->template upgrade<Nothing>({}, request->getHeader("sec-websocket-key"), "", OFFER, context);
    };
    return behavior;
}

// Publishes each message this many times in a row.
Behavior broadcast(uWS::App &app, int burst) {
    Behavior behavior;
    behavior.open = [](auto *socket) { socket->subscribe(TOPIC); };
    behavior.message = [&app, burst](auto *, std::string_view message, uWS::OpCode opcode) {
        for (int i = 0; i < burst; i++) {
            app.publish(TOPIC, message, opcode);
        }
    };
    // Who only listens is there too.
    behavior.resetIdleTimeoutOnSend = true;
    return behavior;
}

Behavior behavior_for(std::string_view task, bool deflate, int burst, uWS::App &app) {
    if (task == "echo") {
        return echo(deflate);
    }
    if (task == "broadcast") {
        return broadcast(app, burst);
    }
    if (task == "handshake") {
        return {};
    }
    usage();
}

} // namespace

int main(int count, char **arguments) {
    if (count != 5) {
        usage();
    }
    pin(std::atoi(arguments[3]));
    end_with_the_standard_input();

    uWS::App app;
    bool deflate = std::string_view(arguments[2]) == "deflate";
    Behavior behavior = behavior_for(arguments[1], deflate, std::atoi(arguments[4]), app);
    // Room for the largest message of the load, and for all that are in flight: beyond it messages are dropped.
    behavior.maxPayloadLength = 16 << 20;
    behavior.maxBackpressure = 16 << 20;
    app.ws<Nothing>("/*", std::move(behavior));
    app.listen("127.0.0.1", 0, [](us_listen_socket_t *listener) {
        if (!listener) {
            fail("listening");
        }
        std::printf("%d\n", us_socket_local_port(0, reinterpret_cast<us_socket_t *>(listener)));
        std::fflush(stdout);
    });
    app.run();
}

"""An echo server and its clients on the loopback interface, tasks, time-outs, a child and signals, all on one event loop."""
import asyncio
import os
import signal
import sys


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def ask(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for i in range(5):
        writer.write(f"client {number} line {i}\n".encode())
        answers.append((await reader.readline()).decode().strip())
    writer.close()
    return answers


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for answers in await asyncio.gather(*(ask(port, n) for n in range(8))):
        print(answers[0], answers[-1], len(answers))
    try:
        await asyncio.wait_for(asyncio.sleep(30), 0.05)
    except asyncio.TimeoutError:
        print("timed out")
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    print(await child.communicate(b"through a child\n"), child.returncode)
    shell = await asyncio.create_subprocess_shell("echo out; echo err >&2; exit 3", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    print(await shell.communicate(), shell.returncode)
    caught = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, caught.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(caught.wait(), 5)
    print("signal", await asyncio.to_thread(lambda: sum(range(1000))))
    queue = asyncio.Queue(maxsize=2)

    async def produce():
        for i in range(10):
            await queue.put(i)
        await queue.put(None)

    task = asyncio.create_task(produce())
    total = 0
    while (item := await queue.get()) is not None:
        total += item
    await task
    print("total", total)
    server.close()
    await server.wait_closed()


asyncio.run(main())
print(sys.version_info[:2] >= (3, 9))

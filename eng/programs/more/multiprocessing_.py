"""Processes by fork and by spawn, pools, queues, shared memory, locks and threads."""
import multiprocessing as mp
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import shared_memory


def square(x):
    return x * x


def put(queue, lock, counter, name):
    for _ in range(50):
        with lock:
            counter.value += 1
    queue.put(name)


def write(name):
    block = shared_memory.SharedMemory(name)
    block.buf[:5] = b"hello"
    block.close()


def main():
    for method in ("fork", "spawn"):
        context = mp.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.map(square, range(10)), pool.apply_async(square, (7,)).get(60))
        queue, lock, counter = context.Queue(), context.Lock(), context.Value("i", 0)
        children = [context.Process(target=put, args=(queue, lock, counter, n)) for n in range(3)]
        for child in children:
            child.start()
        names = sorted(queue.get(timeout=60) for _ in children)
        for child in children:
            child.join(60)
        print(names, counter.value, [child.exitcode for child in children])
        block = shared_memory.SharedMemory(create=True, size=100)
        child = context.Process(target=write, args=(block.name,))
        child.start()
        child.join(60)
        print(bytes(block.buf[:5]))
        block.close()
        block.unlink()
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(square, range(5))))
    with ThreadPoolExecutor(4) as pool:
        print(sum(pool.map(square, range(200))))
    barrier = threading.Barrier(4)
    threads = [threading.Thread(target=barrier.wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("threads met", barrier.broken)


if __name__ == "__main__":
    main()

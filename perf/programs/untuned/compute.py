# Queens on a board, a Mandelbrot set in complex numbers, matrices as lists of lists, and integers of many digits.
def queens(n, row=0, columns=0, left=0, right=0):
    if row == n:
        return 1
    total, free = 0, ~(columns | left | right) & ((1 << n) - 1)
    while free:
        bit = free & -free
        free ^= bit
        total += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return total


def escape(c, limit):
    z = 0j
    for i in range(limit):
        if z.real * z.real + z.imag * z.imag > 4:
            return i
        z = z * z + c
    return limit


def multiply(a, b):
    columns = list(zip(*b))
    return [[sum(x * y for x, y in zip(row, column)) % 1000003 for column in columns] for row in a]


print(queens(8), sum(escape(complex(x / 30 - 2, y / 20 - 1), 60) for x in range(80) for y in range(40)))
matrix = [[(i * j + i + j) % 17 for j in range(40)] for i in range(40)]
power = matrix
for _ in range(4):
    power = multiply(power, matrix)
print(sum(map(sum, power)), pow(3, 5000) % (10 ** 40), sum(int(d) for d in str(7 ** 2000)))

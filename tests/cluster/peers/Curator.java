/* SPDX-License-Identifier: MIT */

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.retry.ExponentialBackoffRetry;

/**
 * Curator's InterProcessReadWriteLock, for bench.py and strangers.py:
 * Curator SERVERS WORK PATH NUMBER; what the works are, bench.c says.
 */
public class Curator {
	static final int UNDER_WAY = 6;

	final CuratorFramework client;
	final InterProcessReadWriteLock lock;

	Curator(String servers, String path) throws Exception {
		client = CuratorFrameworkFactory.newClient(
		    servers, 15000, 15000, new ExponentialBackoffRetry(100, 10));
		client.start();
		client.blockUntilConnected();
		lock = new InterProcessReadWriteLock(client, path);
	}

	static void once(InterProcessReadWriteLock lock, boolean writes)
	    throws Exception {
		InterProcessMutex mutex = writes ? lock.writeLock() : lock.readLock();

		mutex.acquire();
		mutex.release();
	}

	/** Says that it is ready, and waits to be told. */
	static void ready() throws Exception {
		System.out.println("ready");
		new BufferedReader(new InputStreamReader(System.in)).readLine();
	}

	/** With a lock that is nobody else's. */
	void warmUp(String path) throws Exception {
		InterProcessReadWriteLock own = new InterProcessReadWriteLock(
		    client, path + "-" + ProcessHandle.current().pid());

		for (int i = 0; i < 300; i++)
			once(own, i % 2 == 0);
	}

	/** The median of the times of so many, in microseconds. */
	void alone(boolean writes, int count) throws Exception {
		long[] times = new long[count];

		ready();
		for (int i = 0; i < count; i++) {
			long begun = System.nanoTime();

			once(lock, writes);
			times[i] = System.nanoTime() - begun;
		}
		Arrays.sort(times);
		System.out.println(times[count / 2] / 1000.0);
	}

	/** When it was granted, and when it released. */
	void pass(int seconds) throws Exception {
		StringBuilder said = new StringBuilder();
		InterProcessMutex mutex = lock.writeLock();

		ready();
		long end = System.nanoTime() + seconds * 1000000000L;
		while (System.nanoTime() < end) {
			mutex.acquire();
			said.append("grant " + System.nanoTime() + "\n");
			Thread.sleep(8);
			said.append("release " + System.nanoTime() + "\n");
			mutex.release();
		}
		System.out.print(said);
	}

	/** How many were granted. */
	void mixed(int seconds) throws Exception {
		Thread[] threads = new Thread[UNDER_WAY];
		AtomicLong grants = new AtomicLong();

		ready();
		long end = System.nanoTime() + seconds * 1000000000L;
		for (int i = 0; i < threads.length; i++) {
			threads[i] = new Thread(() -> {
				Random random = new Random();

				try {
					while (System.nanoTime() < end) {
						once(lock, random.nextInt(100) >= 95);
						grants.incrementAndGet();
					}
				} catch (Exception e) {
					e.printStackTrace();
					System.exit(1);
				}
			});
			threads[i].start();
		}
		for (Thread thread : threads)
			thread.join();
		System.out.println(grants.get());
	}

	/** Counts in a file, while it writes; looks whether others do, while it reads. */
	void count(int times) throws Exception {
		Path file = Paths.get(System.getenv("COUNT_FILE"));

		for (int i = 0; i < times; i++) {
			InterProcessMutex mutex =
			    i % 2 == 0 ? lock.writeLock() : lock.readLock();

			mutex.acquire();
			String before = Files.readString(file);
			Thread.sleep(1);
			if (i % 2 == 0)
				Files.writeString(file,
				    (Integer.parseInt(before.trim()) + 1) + "\n");
			else if (!Files.readString(file).equals(before))
				throw new Exception("somebody writes beside a reader");
			mutex.release();
		}
	}

	public static void main(String[] args) throws Exception {
		Curator curator = new Curator(args[0], args[2]);
		int number = Integer.parseInt(args[3]);

		if (!args[1].equals("count"))
			curator.warmUp(args[2]);
		switch (args[1]) {
		case "write":
			curator.alone(true, number);
			break;
		case "read":
			curator.alone(false, number);
			break;
		case "pass":
			curator.pass(number);
			break;
		case "mixed":
			curator.mixed(number);
			break;
		case "count":
			curator.count(number);
			break;
		default:
			System.exit(2);
		}
		curator.client.close();
	}
}

//! Which clients there are: classes, each with its rate and its way of connecting.

use std::time::Duration;

/// How a class uses connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// A new one for each request.
    New,
    /// This many, kept open, each with one request at a time.
    KeepAlive(usize),
}

/// A class of clients.
#[derive(Debug, Clone)]
pub struct Class {
    /// Its name in the report.
    pub name: String,
    /// How it uses connections.
    pub connections: Connections,
    /// Requests begun each second, over all its connections.
    pub rate: f64,
    /// What it asks for; added to the URL's path.
    pub path: String,
    /// `Host` header, if not the URL's.
    pub host: Option<String>,
    /// A delay between client and server, there and back.
    pub rtt: Option<Duration>,
    /// How long a request may take before it counts as failed.
    pub timeout: Duration,
}

/// The classes that run at the same time, and bounds on the whole.
#[derive(Debug, Clone)]
pub struct Mix {
    /// The classes.
    pub classes: Vec<Class>,
    /// No request is begun after this, stopped or not.
    pub longest: Duration,
    /// No more requests than this, in each class.
    pub most: u64,
}

impl Class {
    fn new(name: &str, connections: Connections, rate: f64) -> Class {
        let (name, path) = (name.to_owned(), "/".to_owned());
        Class { name, connections, rate, path, host: None, rtt: None, timeout: Duration::from_secs(10) }
    }

    /// `new`: a connection for each request.
    pub fn new_connections(rate: f64) -> Class {
        Class::new("new", Connections::New, rate)
    }

    /// `keep-alive`: this many connections.
    pub fn keep_alive(rate: f64, connections: usize) -> Class {
        Class::new("keep-alive", Connections::KeepAlive(connections), rate)
    }

    /// `slow-Ns`: requests that the app answers after N seconds.
    pub fn slow(rate: f64, seconds: u64) -> Class {
        let mut class = Class::new(&format!("slow-{seconds}s"), Connections::New, rate);
        class.path = format!("/slow?ms={}", seconds * 1000);
        class.timeout = Duration::from_secs(seconds + 10);
        class
    }

    /// The same class on a slow network; `-Nms` is added to its name.
    pub fn with_rtt(mut self, milliseconds: u64) -> Class {
        self.name += &format!("-{milliseconds}ms");
        self.rtt = Some(Duration::from_millis(milliseconds));
        self
    }

    /// The same class, asking for another path.
    pub fn with_path(mut self, path: &str) -> Class {
        self.path = path.to_owned();
        self
    }

    /// The same class under another name.
    pub fn named(mut self, name: &str) -> Class {
        self.name = name.to_owned();
        self
    }
}

impl Mix {
    /// These classes, for ten minutes at most.
    pub fn of(classes: Vec<Class>) -> Mix {
        Mix { classes, longest: Duration::from_secs(600), most: 500_000 }
    }

    /// Every class, 405 requests a second: new connections and keep-alive, near and 50 ms away; 5- and 15-second ones.
    pub fn standard() -> Mix {
        Mix::of(vec![
            Class::new_connections(170.0),
            Class::keep_alive(170.0, 16),
            Class::new_connections(20.0).with_rtt(50),
            Class::keep_alive(40.0, 20).with_rtt(50),
            Class::slow(4.0, 5),
            Class::slow(1.0, 15),
        ])
    }

    /// New connections, keep-alive and 5-second requests, none far away, with this many requests a second in all.
    pub fn near(rate: f64) -> Mix {
        let half = (rate - 4.0).max(2.0) / 2.0;
        Mix::of(vec![Class::new_connections(half), Class::keep_alive(half, 16), Class::slow(4.0, 5)])
    }

    /// New connections only: stops at once, as nothing slow is in flight.
    pub fn quick(rate: f64) -> Mix {
        Mix::of(vec![Class::new_connections(rate)])
    }
}
